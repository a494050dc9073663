#include "io/parquet/schema.h"

#include <set>

namespace fathom::parquet {
namespace {

using Meaning = Annotation::Meaning;

constexpr size_t most_depth = 100;  // of fields in fields: a row becomes JSON, which is bounded too

struct Levels {
  int definition = 0, repetition = 0;
};

bool fits(const SchemaElement& e) {
  const auto is = [&](auto... types) { return ((e.type == types) || ...); };
  using enum PhysicalType;
  switch (e.annotation.meaning) {
    case Meaning::text:
      return is(byte_array);
    case Meaning::unsigned_integer:
    case Meaning::time:
      return is(int32, int64);
    case Meaning::decimal:
      return is(int32, int64, byte_array, fixed_bytes);
    case Meaning::date:
      return is(int32);
    case Meaning::timestamp:
      return is(int64);
    case Meaning::uuid:
      return is(fixed_bytes) && e.length == 16;
    case Meaning::float16:
      return is(fixed_bytes) && e.length == 2;
    case Meaning::interval:
      return is(fixed_bytes) && e.length == 12;
    case Meaning::nothing:
      return true;
    default:
      return false;
  }
}

class SchemaBuilder {
 public:
  SchemaBuilder(const std::vector<SchemaElement>& elements, const std::string& path)
      : elements_(elements), path_(path) {}

  Schema build() {
    next();  // the root
    schema_.fields = children(elements_[0], {});
    check(at_ == elements_.size(), "{}: the schema has elements that belong to no field", path_);
    return std::move(schema_);
  }

 private:
  // Elements are taken in their order, which is that of the tree.
  const SchemaElement& next() {
    check(at_ < elements_.size(), "{}: the schema ends inside a field", path_);
    return elements_[at_++];
  }

  std::vector<Node> children(const SchemaElement& group, Levels levels) {
    std::vector<Node> nodes;
    std::set<std::string> names;
    for (int64_t i = 0; i < group.children; ++i) {
      nodes.push_back(field(next(), levels));
      check(names.insert(nodes.back().name).second, "{}: the schema has field '{}' twice", path_,
            nodes.back().name);
    }
    return nodes;
  }

  Node field(const SchemaElement& e, Levels levels) {
    if (e.repetition == Repetition::repeated)
      return list_of(e.name, levels, [&](Levels inner) { return value(e, inner); });
    if (e.repetition == Repetition::optional) ++levels.definition;
    return value(e, levels);
  }

  // What the field is where it is there.
  Node value(const SchemaElement& e, Levels levels) {
    return inside(e, [&] { return e.type != PhysicalType::none ? leaf(e, levels) : group(e, levels); });
  }

  Node leaf(const SchemaElement& e, Levels levels) {
    check(e.type != PhysicalType::fixed_bytes || e.length > 0, "{}: column '{}' has values of {} bytes",
          path_, e.name, e.length);
    Annotation annotation = fits(e) ? e.annotation : Annotation{};
    schema_.leaves.push_back({fmt::format("{}", fmt::join(names_, ".")), e.type, e.length, annotation,
                              levels.definition, levels.repetition});
    return {Node::Kind::leaf, e.name, levels.definition, 0, 0, schema_.leaves.size() - 1, 1, {}};
  }

  Node group(const SchemaElement& e, Levels levels) {
    check(e.children > 0, "{}: field '{}' has neither a type nor fields", path_, e.name);
    const Meaning meaning = e.annotation.meaning;
    if (e.children == 1 && at_ < elements_.size() && elements_[at_].repetition == Repetition::repeated) {
      if (meaning == Meaning::list)
        return list_of(e.name, levels, [&](Levels inner) { return element(e, inner); });
      if ((meaning == Meaning::map || meaning == Meaning::map_entry) && elements_[at_].children > 0)
        return list_of(e.name, levels, [&](Levels inner) { return map_entry(inner); });
    }
    return record(e, levels);
  }

  Node record(const SchemaElement& e, Levels levels) {
    Node node{Node::Kind::record, e.name, levels.definition, 0, 0, schema_.leaves.size(), 0, {}};
    node.children = children(e, levels);
    node.leaves = schema_.leaves.size() - node.first_leaf;
    return node;
  }

  template <class MakeElement>
  Node list_of(const std::string& name, Levels levels, MakeElement&& make) {
    const Levels inner{levels.definition + 1, levels.repetition + 1};
    Node node{Node::Kind::list,
              name,
              levels.definition,
              inner.definition,
              inner.repetition,
              schema_.leaves.size(),
              0,
              {}};
    node.children.push_back(make(inner));
    node.leaves = schema_.leaves.size() - node.first_leaf;
    return node;
  }

  // The repeated field of a list is its element, or a group around it. Writers of old knew no such group; the
  // format's rules tell the two apart by fields and names.
  Node element(const SchemaElement& list, Levels levels) {
    const SchemaElement& repeated = next();
    const bool around = repeated.type == PhysicalType::none && repeated.children == 1 &&
                        at_ < elements_.size() && elements_[at_].repetition != Repetition::repeated &&
                        repeated.name != "array" && repeated.name != list.name + "_tuple";
    return around ? inside(repeated, [&] { return field(next(), levels); }) : value(repeated, levels);
  }

  // Old files have names of their own for the two fields.
  Node map_entry(Levels levels) {
    const SchemaElement& repeated = next();
    Node node = inside(repeated, [&] { return record(repeated, levels); });
    node.children[0].name = "key";
    if (node.children.size() > 1) node.children[1].name = "value";
    return node;
  }

  template <class Make>
  Node inside(const SchemaElement& e, Make&& make) {
    check(names_.size() < most_depth, "{}: the schema has fields nested deeper than {}", path_, most_depth);
    names_.push_back(e.name);
    Node node = make();
    names_.pop_back();
    return node;
  }

  const std::vector<SchemaElement>& elements_;
  const std::string& path_;
  size_t at_ = 0;
  std::vector<std::string> names_;
  Schema schema_;
};

}  // namespace

Schema make_schema(const std::vector<SchemaElement>& elements, const std::string& path) {
  return SchemaBuilder(elements, path).build();
}

}  // namespace fathom::parquet
