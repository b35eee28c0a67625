// Objects that `__init__` has made. One made by `__new__` alone has no C++ object behind it, and pybind11 would hand out
// memory that nobody has filled.
#pragma once

#include <pybind11/pybind11.h>

namespace chainrule::bindings {

// The caster of a class, which takes no such object: what calls it raises TypeError.
template <class T> struct InitialisedCaster : pybind11::detail::type_caster_base<T> {
    bool load(pybind11::handle source, bool convert) {
        if (!pybind11::isinstance<T>(source)) return false;
        if (!reinterpret_cast<pybind11::detail::instance*>(source.ptr())->get_value_and_holder().holder_constructed()) return false;
        return pybind11::detail::type_caster_base<T>::load(source, convert);
    }
};

}  // namespace chainrule::bindings
