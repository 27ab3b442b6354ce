// The frame of one query of a Reader; only its own files include this.
#pragma once

#include "collector/base/clock.h"
#include "collector/store/sqlite/reader.h"

namespace collector {

// One read transaction, which the query's bounds may end.
class Reader::Scope {
 public:
  Scope(Reader* reader, QueryBounds bounds);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  Status Begin();  // reads what the summary has, first of all

 private:
  static int Check(void* scope);

  Reader* reader_;
  QueryBounds bounds_;
};

}  // namespace collector
