// update: one step of a rule on all parameters of a layer, in place; all or nothing
#include <string>
#include <vector>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/elementwise.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::bindings {
namespace {

Rule rule_named(PyObject* object) {
    const Entries<RuleEntry>& rules = runtime::target().catalogue.rules;
    std::string names;
    for (int i = 0; i < rules.count; ++i) {
        if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, rules[i].name) == 0) return static_cast<Rule>(i);
        names += (i ? ", " : "") + std::string(rules[i].name);
    }
    throw std::invalid_argument("rule: expected one of " + names);
}

PyObject* tuple(PyObject* object, Py_ssize_t size, const char* name) {
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == size) return object;
    throw py::type_error(std::string(name) + ": expected a tuple of " + std::to_string(size));
}

template <class T> T* state(PyObject* object, const char* name, const Array<T>& parameter, const Array<const T>& gradient) {
    const Array<T> array = writable_like<T>(object, name, parameter);
    check_overlap(array, parameter, name);
    check_overlap(array, gradient, name);
    return array.data;
}

// (parameter, gradient, states, rate, decay, step, settings of the rule): checked, nothing changed yet.
template <class T> UpdateJob<T> job_of(Rule rule, PyObject* part) {
    const RuleEntry& entry = runtime::target().catalogue.rules[rule];
    const auto item = [part](Py_ssize_t i) { return PyTuple_GET_ITEM(part, i); };
    const Array<T> parameter = writable<T>(item(0), "parameter");
    const Array<const T> gradient = array_like<T>(item(1), "gradient", parameter);
    check_overlap(parameter, gradient, "gradient");
    UpdateJob<T> job = {};
    PyObject* const states = tuple(item(2), entry.states.count, "states");
    for (int i = 0; i < entry.states.count; ++i) job.states[i] = state(PyTuple_GET_ITEM(states, i), entry.states.name[i], parameter, gradient);
    double settings[most_names];
    PyObject* const given = tuple(item(6), entry.parameters.count, "settings");
    for (int i = 0; i < entry.parameters.count; ++i) settings[i] = number(PyTuple_GET_ITEM(given, i), entry.parameters.name[i]);
    job.rule.rule = rule;
    job.rule.decay = number(item(4), "decay");
    entry.prepare(settings, number(item(3), "rate"), number(item(5), "step"), job.rule.constants);
    job.n = parameter.size();
    job.parameter = parameter.data;
    job.gradient = gradient.data;
    return job;
}

PyObject* update(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != 2) return wrong_count("update", 2, count);
    try {
        const Rule rule = rule_named(arguments[0]);
        PyObject* const parts = arguments[1];
        if (!PyTuple_Check(parts)) throw py::type_error("parts: expected a tuple");
        std::vector<UpdateJob<float>> singles;
        std::vector<UpdateJob<double>> doubles;
        double work = 0;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts); ++i) {
            PyObject* const part = tuple(PyTuple_GET_ITEM(parts, i), 7, "part");
            if (is_double(PyTuple_GET_ITEM(part, 0), "parameter")) doubles.push_back(job_of<double>(rule, part));
            else singles.push_back(job_of<float>(rule, part));
        }
        for (const UpdateJob<float>& job : singles) work += static_cast<double>(job.n);
        for (const UpdateJob<double>& job : doubles) work += static_cast<double>(job.n);
        {
            const Unlocked unlocked(2 * work);
            for (const UpdateJob<float>& job : singles) model::update(job);
            for (const UpdateJob<double>& job : doubles) model::update(job);
        }
        Py_RETURN_NONE;
    } catch (...) {
        return translate_exception();
    }
}

}  // namespace

void bind_rules(py::module_& module) {
    static PyMethodDef methods[] = {
        {"update", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&update)), METH_FASTCALL,
         "update(rule: str, parts: tuple) -> None\n\n"
         "One step of a rule, in place. Each part: (parameter, gradient, tuple of its states, rate, decay, step, tuple of the rule's settings); "
         "w -= decay * w first. All arrays are checked before any changes."},
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
