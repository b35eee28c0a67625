// The parts of the module, one function a file. See module.cpp.
#pragma once

#include <pybind11/pybind11.h>

namespace chainrule::bindings {

void bind_dense(pybind11::module_& module);
void bind_activations(pybind11::module_& module);
void bind_features(pybind11::module_& module);
void bind_losses(pybind11::module_& module);
void bind_catalogue(pybind11::module_& module);
void bind_rules(pybind11::module_& module);
void bind_runtime(pybind11::module_& module);
void bind_guards(pybind11::module_& module);
void bind_plan(pybind11::module_& module);
void bind_short_way(pybind11::module_& module);
void bind_predictor(pybind11::module_& module);

}  // namespace chainrule::bindings
