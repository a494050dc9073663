// killed_save OUTPUT: the ranks of mpirun write a checkpoint of step 7 into OUTPUT. The last is killed before
// it has written its part, while the others wait for it.
#include <csignal>
#include <exception>

#include "comm/world.h"
#include "train/checkpoint_content.h"

int main(int argc, char** argv) {
  using namespace fathom;
  using namespace fathom::testing;
  if (argc != 2) return 2;
  World world;
  try {
    const Device device = Device::cpu(1);
    Communicator ranks = world.communicator(device);
    const Content content(v2_like(), DType::f32);
    CheckpointWriter writer(
        ranks, device,
        checkpoint_content(recipe_for(argv[1], DType::f32), {.step = 7}, {.config = v2_like()}),
        dealt(content.all(), Deal::each_tensor, ranks.rank(), ranks.size()));
    if (ranks.rank() == ranks.size() - 1) raise(SIGKILL);
    writer.finish();
    return 0;
  } catch (const std::exception& e) {
    world.abort(e.what());
  }
}
