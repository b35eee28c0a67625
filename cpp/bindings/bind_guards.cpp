// What Python code guards itself with against the exceptions of signals: these come between two of its instructions, never
// within a call of these functions.
#include <csignal>
#include <string>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "bindings/initialised.hpp"
#include "runtime/forks.hpp"

namespace chainrule::bindings {
namespace {

// A mark in an object's attributes for the length of a `with` block: (forks, thread, operation) of who uses it. The thread that
// has the mark may come again, but for what must be alone; a mark from before a fork is nobody's.
class InUse {
  public:
    InUse(const py::dict& attributes, const py::str& operation, bool alone) : attributes_(attributes), operation_(operation), alone_(alone) {}
    ~InUse() { leave(); }  // a signal's exception may come before the block is entered
    InUse(const InUse&) = delete;
    InUse& operator=(const InUse&) = delete;

    void enter() {
        const py::tuple mark = py::make_tuple(runtime::forks_so_far(), PyThread_get_thread_ident(), operation_);
        PyObject* const found = PyDict_SetDefault(attributes_.ptr(), key(), mark.ptr());  // one step: two threads cannot both win
        if (!found) throw py::error_already_set();
        const py::tuple owner = py::reinterpret_borrow<py::tuple>(found);
        if (found == mark.ptr()) {
            mark_ = mark;
        } else if (!owner[0].equal(mark[0])) {
            if (PyDict_SetItem(attributes_.ptr(), key(), mark.ptr()) != 0) throw py::error_already_set();
            mark_ = mark;
        } else if (alone_ || !owner[1].equal(mark[1])) {
            throw std::runtime_error("Model: " + std::string(operation_) + ": expected a model that is not in use, got one whose " +
                                     owner[2].cast<std::string>() + " is running");
        }
    }

    void leave() {
        if (!mark_) return;
        if (PyDict_GetItemWithError(attributes_.ptr(), key()) == mark_.ptr()) PyDict_DelItem(attributes_.ptr(), key());
        mark_ = py::object();
    }

  private:
    static PyObject* key() {
        static PyObject* const name = PyUnicode_InternFromString("_owner");
        return name;
    }
    py::dict attributes_;
    py::str operation_;
    bool alone_;
    py::object mark_;  // null: somebody else's
};

// Those handlers of signals that are Python code.
py::object signal_handlers() {
    const py::object get = py::module_::import("_signal").attr("getsignal");
    py::dict handlers;
    for (int number = 1; number < NSIG; ++number) {
        const py::object handler = py::reinterpret_steal<py::object>(PyObject_CallFunction(get.ptr(), "i", number));
        if (!handler) PyErr_Clear();  // no signal of this system
        else if (PyCallable_Check(handler.ptr())) handlers[py::int_(number)] = handler;
    }
    return handlers;
}

// Sets handlers, all of them. To set one lets the signals that wait be handled first: an exception of theirs is raised at the end.
void set_signal_handlers(const py::object& wanted) {
    const py::dict handlers = wanted;
    constexpr int tries = 16;  // signals do not come that fast
    const py::object set = py::module_::import("_signal").attr("signal");
    PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
    for (const auto& [number, handler] : handlers)
        for (int i = 0; i < tries; ++i) {
            const py::object before = py::reinterpret_steal<py::object>(PyObject_CallFunctionObjArgs(set.ptr(), number.ptr(), handler.ptr(), nullptr));
            if (before) break;
            if (type) PyErr_Clear();
            else PyErr_Fetch(&type, &value, &trace);
        }
    if (!type) return;
    PyErr_Restore(type, value, trace);
    throw py::error_already_set();
}

}  // namespace
}  // namespace chainrule::bindings

namespace pybind11::detail {
template <> struct type_caster<chainrule::bindings::InUse> : chainrule::bindings::InitialisedCaster<chainrule::bindings::InUse> {};
}  // namespace pybind11::detail

namespace chainrule::bindings {

void bind_guards(py::module_& module) {
    py::class_<InUse>(module, "InUse", "Marks attributes as in use by this thread for the length of a `with` block.")
        .def(py::init<const py::dict&, const py::str&, bool>(), py::arg("attributes"), py::arg("operation"), py::arg("alone"))
        .def("__enter__", &InUse::enter)
        .def("__exit__", [](InUse& self, const py::object&, const py::object&, const py::object&) { self.leave(); }, py::arg("type"), py::arg("error"), py::arg("trace"));
    module.def("signal_handlers", &signal_handlers, "Handlers of signals that are Python code, by their numbers.");
    module.def("set_signal_handlers", &set_signal_handlers, py::arg("handlers"),
               "Set handlers of signals, all of them; what a signal raises meanwhile comes at the end.");
}

}  // namespace chainrule::bindings
