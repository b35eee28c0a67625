// chainrule._core: table of contents.
#define CHAINRULE_IMPORTS_NUMPY
#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"

namespace {

// NumPy's macro returns from the function it stands in.
void* import_numpy() {
    import_array();
    return nullptr;
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled core of chainrule: arrays in, arrays out, no state.";
    import_numpy();
    if (PyErr_Occurred()) throw pybind11::error_already_set();
    chainrule::bindings::bind_runtime(module);
    chainrule::bindings::bind_guards(module);
    chainrule::bindings::bind_catalogue(module);
    chainrule::bindings::bind_dense(module);
    chainrule::bindings::bind_activations(module);
    chainrule::bindings::bind_features(module);
    chainrule::bindings::bind_losses(module);
    chainrule::bindings::bind_rules(module);
    chainrule::bindings::bind_plan(module);
    chainrule::bindings::bind_short_way(module);
    chainrule::bindings::bind_predictor(module);
}
