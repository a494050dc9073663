#include "comm/session.h"

namespace fathom {

std::unique_ptr<Session> start_session(const Launch& launch) {
  refuse(launch,
         "this build has no MPI: configure it with -DFATHOM_MPI=ON where libopenmpi-dev is installed");
}

}  // namespace fathom
