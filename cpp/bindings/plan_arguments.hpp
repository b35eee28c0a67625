// What Python tells of a plan, read field by field in the order of training/network.py; and the arguments of its calls.
#pragma once

#include <pybind11/stl.h>

#include "bindings/arrays.hpp"
#include "model/plan.hpp"

namespace chainrule::bindings {

// A tuple's fields, taken one after the other.
class Fields {
  public:
    Fields(const py::handle& object, std::size_t count, const char* name) : name_(name) {
        if (!py::isinstance<py::tuple>(object) || py::len(object) != count)
            throw py::type_error(std::string(name) + ": expected a tuple of " + std::to_string(count) + " fields");
        tuple_ = py::reinterpret_borrow<py::tuple>(object);
    }
    py::object next() { return tuple_[place_++]; }
    template <class T> T next_as() {
        try {
            return next().cast<T>();
        } catch (const py::cast_error&) {
            throw py::type_error(std::string(name_) + ": field " + std::to_string(place_) + " is of the wrong type");
        }
    }

  private:
    const char* name_;
    py::tuple tuple_;
    std::size_t place_ = 0;
};

// A network, and what else stands in its description.
struct Description {
    model::Network network;
    bool is_double;
    model::EngineKind engine;
};

Description description_of(const py::object& object);

// ((key, step) of each stream), (steps of each parameter, in the order of the layers).
model::Counts counts_of(const py::object& object, const model::Network& network);

// Tuples (value, upwards, ties, keeps, min_delta, patience, factor, least, cooldown).
std::vector<model::Monitor> monitors_of(const py::object& object);

// Borrowed samples; y is targets (n, m), floats, or int64 labels (n,), and targets of one output may be (n,). Weights may be None.
model::Samples samples_of(PyObject* X, PyObject* y, PyObject* weights, const model::Network& network);

}  // namespace chainrule::bindings
