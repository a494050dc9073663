// One element of the schema in a footer.
#pragma once
#include "io/parquet/metadata.h"
#include "io/parquet/thrift_compact.h"

namespace fathom::parquet {

SchemaElement read_schema_element(ThriftReader& thrift);

}  // namespace fathom::parquet
