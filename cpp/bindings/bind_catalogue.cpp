// catalogue: what the compiled lists hold, for the Python package and for tests
#include <deque>

#include "bindings/bindings.hpp"
#include "bindings/catalogue_methods.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::bindings {

void add_entry_method(py::module_& module, const std::string& name, int place, EntryFunction function, const std::string& documentation) {
    // Python keeps pointers to these for as long as the process lives.
    struct Definition {
        std::string name, documentation;
        PyMethodDef method;
    };
    static std::deque<Definition>* const definitions = new std::deque<Definition>;
    definitions->push_back({name, name + documentation, {}});
    Definition& kept = definitions->back();
    kept.method = {kept.name.c_str(), reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function)), METH_FASTCALL, kept.documentation.c_str()};
    const py::int_ self(place);
    const py::str module_name(module.attr("__name__"));
    PyObject* const made = PyCFunction_NewEx(&kept.method, self.ptr(), module_name.ptr());
    if (!made) throw py::error_already_set();
    module.add_object(name.c_str(), py::reinterpret_steal<py::object>(made));
}

std::string signature_of(const Names& names) {
    std::string text;
    for (int i = 0; i < names.count; ++i) text += ", " + std::string(names.name[i]) + ": float";
    return text;
}

namespace {

py::tuple tuple_of(const Names& names) {
    py::tuple result(static_cast<std::size_t>(names.count));
    for (int i = 0; i < names.count; ++i) result[static_cast<std::size_t>(i)] = py::str(names.name[i]);
    return result;
}

template <class Entry, class Describe> py::list list_of(const Entries<Entry>& entries, const Describe& describe) {
    py::list result;
    for (const Entry& entry : entries) {
        py::dict row;
        row["name"] = entry.name;
        describe(entry, row);
        result.append(row);
    }
    return result;
}

py::dict describe_catalogue() {
    const Catalogue& catalogue = runtime::target().catalogue;
    py::dict result;
    result["activations"] = list_of(catalogue.activations, [](const ActivationEntry& entry, py::dict& row) {
        row["forward"] = entry.forward;
        row["backward"] = entry.backward;
        row["parameters"] = tuple_of(entry.parameters);
        row["rows"] = entry.by_rows;
        row["needs_inputs"] = entry.needs_inputs;
        row["cost"] = entry.cost;
    });
    result["losses"] = list_of(catalogue.losses, [&](const LossEntry& entry, py::dict& row) {
        static constexpr const char* domains[] = {"real", "unit_interval", "not_negative", "signs"};
        row["value"] = entry.value;
        row["gradient"] = entry.gradient;
        row["parameters"] = tuple_of(entry.parameters);
        row["parameter_per_output"] = entry.parameter_per_output;
        row["one_target"] = entry.one_target;
        row["labels"] = entry.labels;
        row["domain"] = domains[static_cast<int>(entry.domain)];
        row["joins"] = entry.joins < 0 ? "" : catalogue.activations[entry.joins].name;
    });
    result["rules"] = list_of(catalogue.rules, [](const RuleEntry& entry, py::dict& row) {
        row["formula"] = entry.formula;
        row["states"] = tuple_of(entry.states);
        row["parameters"] = tuple_of(entry.parameters);
    });
    result["metrics"] = list_of(catalogue.metrics, [](const MetricEntry& entry, py::dict& row) { row["formula"] = entry.formula; });
    return result;
}

}  // namespace

void bind_catalogue(py::module_& module) {
    module.def("catalogue", &describe_catalogue,
               "The compiled parts: activations, losses, rules and metrics, each a dict of its name, formulas, parameters and what it needs.");
}

}  // namespace chainrule::bindings
