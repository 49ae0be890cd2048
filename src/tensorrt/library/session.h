// A library in use, and ownership of its objects.
#pragma once

#include <memory>
#include <utility>

#include "tensorrt/library/abi.h"
#include "tensorrt/library/library.h"
#include "tensorrt/library/log.h"
#include "tensorrt/library/slots.h"

namespace slipway::tensorrt {

struct DeleteObject {
  void operator()(Object* object) const {
    detail::Caller<void()>::call(object, kDeletingDestructor);
  }
};
using OwnedObject = std::unique_ptr<Object, DeleteObject>;

// What everything that one factory makes holds on to: TensorRT wants a builder or runtime to be
// destroyed after all that it made.
struct Session {
  LibraryPointer library;
  std::shared_ptr<Log> log;
  OwnedObject factory;

  Version version() const { return library->version(); }
};
using SessionPointer = std::shared_ptr<const Session>;

inline SessionPointer make_session(LibraryPointer library, std::shared_ptr<Log> log,
                                   Object* factory) {
  return std::make_shared<Session>(
      Session{std::move(library), std::move(log), OwnedObject(factory)});
}

// An owned object of a session.
class Part {
 public:
  Object* object() const { return object_.get(); }
  const SessionPointer& session() const { return session_; }
  Version version() const { return session_->version(); }

 protected:
  Part(SessionPointer session, Object* object) : session_(std::move(session)), object_(object) {}

 private:
  SessionPointer session_;  // Destroyed after the object.
  OwnedObject object_;
};

}  // namespace slipway::tensorrt
