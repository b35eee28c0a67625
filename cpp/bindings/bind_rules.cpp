// update, update_layer: one step of a rule on all parameters of a layer, in place; all or nothing
#include <algorithm>
#include <cstring>
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
    for (int i = 0; i < rules.count; ++i)
        if (PyUnicode_Check(object) && PyUnicode_CompareWithASCIIString(object, rules[i].name) == 0) return static_cast<Rule>(i);
    std::string names;
    for (int i = 0; i < rules.count; ++i) names += (i ? ", " : "") + std::string(rules[i].name);
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

// The numbers of a step: rate, decay, the step of the parameter's own, the rule's settings.
struct Numbers {
    double rate, decay, step, settings[most_names];
};

void read_settings(const RuleEntry& entry, PyObject* settings, double* numbers) {
    tuple(settings, entry.parameters.count, "settings");
    for (int i = 0; i < entry.parameters.count; ++i) numbers[i] = number(PyTuple_GET_ITEM(settings, i), entry.parameters.name[i]);
}

void prepare(UpdateRule& rule, const Numbers& numbers) {
    runtime::target().catalogue.rules[rule.rule].prepare(numbers.settings, numbers.rate, numbers.step, rule.constants);
    rule.decay = numbers.decay;
}

// `states` are as many objects as the rule has arrays. Checked, nothing changed yet; the rule's constants are still missing.
template <class T> UpdateJob<T> job_of(Rule rule, PyObject* held, PyObject* slope, PyObject* const* states) {
    const RuleEntry& entry = runtime::target().catalogue.rules[rule];
    const Array<T> parameter = writable<T>(held, "parameter");
    const Array<const T> gradient = array_like<T>(slope, "gradient", parameter);
    check_overlap(parameter, gradient, "gradient");
    UpdateJob<T> job = {};
    for (int i = 0; i < entry.states.count; ++i) job.states[i] = state(states[i], entry.states.name[i], parameter, gradient);
    job.rule.rule = rule;
    job.n = parameter.size();
    job.parameter = parameter.data;
    job.gradient = gradient.data;
    return job;
}

// (parameter, gradient, states, rate, decay, step, settings of the rule)
template <class T> UpdateJob<T> job_of_part(Rule rule, PyObject* part) {
    const RuleEntry& entry = runtime::target().catalogue.rules[rule];
    const auto item = [part](Py_ssize_t i) { return PyTuple_GET_ITEM(part, i); };
    PyObject* const given = tuple(item(2), entry.states.count, "states");
    PyObject* states[most_states];
    for (int i = 0; i < entry.states.count; ++i) states[i] = PyTuple_GET_ITEM(given, i);
    Numbers numbers;
    read_settings(entry, item(6), numbers.settings);
    numbers.rate = number(item(3), "rate");
    numbers.decay = number(item(4), "decay");
    numbers.step = number(item(5), "step");
    UpdateJob<T> job = job_of<T>(rule, item(0), item(1), states);
    prepare(job.rule, numbers);
    return job;
}

PyObject* update(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != 2) return wrong_count("update", 2, count);
    const runtime::FloatingPointFlags flags;
    try {
        const Rule rule = rule_named(arguments[0]);
        PyObject* const parts = arguments[1];
        if (!PyTuple_Check(parts)) throw py::type_error("parts: expected a tuple");
        std::vector<UpdateJob<float>> singles;
        std::vector<UpdateJob<double>> doubles;
        double work = 0;
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(parts); ++i) {
            PyObject* const part = tuple(PyTuple_GET_ITEM(parts, i), 7, "part");
            if (is_double(PyTuple_GET_ITEM(part, 0), "parameter")) doubles.push_back(job_of_part<double>(rule, part));
            else singles.push_back(job_of_part<float>(rule, part));
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

// --- update_layer: the same, looked up in the layer itself ---------------------------------------------------------------

constexpr int most_parameters = 4;

// References to objects, given back at the end.
class Held {
  public:
    ~Held() {
        while (count_ > 0) Py_DECREF(objects_[--count_]);
    }
    // Keeps a new reference; null stays null.
    PyObject* keep(PyObject* object) {
        if (object) objects_[count_++] = object;
        return object;
    }
    PyObject* borrow(PyObject* object) {
        Py_XINCREF(object);
        return keep(object);
    }

  private:
    PyObject* objects_[16 + most_parameters * (3 + most_states)];
    int count_ = 0;
};

// An attribute; null where there is none.
PyObject* attribute(PyObject* object, PyObject* name, Held& held) {
    PyObject* const value = held.keep(running_python([=] { return PyObject_GetAttr(object, name); }));
    if (!value && !PyErr_ExceptionMatches(PyExc_AttributeError)) throw py::error_already_set();
    if (!value) PyErr_Clear();
    return value;
}

struct LayerNames {
    PyObject *dictionary = intern("__dict__"), *trainable = intern("trainable"), *token = intern("optimizer_token"), *steps = intern("optimizer_steps"),
             *names = intern("parameter_names"), *rate = intern("learning_rate_factor"), *decay = intern("weight_decay_factor"), *epsilon = intern("epsilon_factor");
    static PyObject* intern(const char* text) { return PyUnicode_InternFromString(text); }
};
const LayerNames& layer_names() {
    static const LayerNames names;
    return names;
}

// A factor of the parameter at `index`: 1 where the layer has none, one number for all, or a tuple's; false for anything else.
bool read_factor(PyObject* factor, Py_ssize_t index, bool alone, double& value) {
    if (factor && PyTuple_CheckExact(factor)) {
        if (index >= PyTuple_GET_SIZE(factor)) return false;
        factor = PyTuple_GET_ITEM(factor, index);
    } else if (!alone) {
        value = 0;
        return true;
    }
    if (factor && !PyFloat_CheckExact(factor) && !PyLong_CheckExact(factor)) return false;
    value = factor ? PyFloat_AsDouble(factor) : 1;
    return value >= 0;
}

// What update_layer is given, and what it has found in the layer.
struct LayerUpdate {
    Rule rule;
    PyObject *attributes, *steps, *recipe;
    PyObject *rate_factor, *decay_factor, *epsilon_factor;
    Numbers numbers;
};

// One parameter of a recipe, (name, gradient, names of states, index, whether one decay factor acts on it): 1 where its job
// is there, 0 where the layer has no such parameter, -1 where it goes another way.
template <class T> int find_job(const LayerUpdate& update, PyObject* ingredient, Held& held, UpdateJob<T>& job, Numbers& numbers) {
    const auto item = [=](Py_ssize_t i) { return PyTuple_GET_ITEM(ingredient, i); };
    const auto find = [&](PyObject* name) { return held.borrow(PyDict_GetItemWithError(update.attributes, name)); };
    const RuleEntry& entry = runtime::target().catalogue.rules[update.rule];
    PyObject *const parameter = find(item(0)), *const gradient = find(item(1));
    if (parameter == Py_None) return 0;
    PyObject* const done = PyDict_GetItemWithError(update.steps, item(0));
    if (!parameter || !gradient || !done || !PyLong_CheckExact(done)) return -1;
    PyObject* states[most_states];
    for (int i = 0; i < entry.states.count; ++i)
        if (!(states[i] = find(PyTuple_GET_ITEM(item(2), i)))) return -1;
    const Py_ssize_t index = PyLong_AsSsize_t(item(3));
    double rate, decay, epsilon;
    if (!read_factor(update.rate_factor, index, true, rate) || !read_factor(update.decay_factor, index, item(4) == Py_True, decay) ||
        !read_factor(update.epsilon_factor, index, true, epsilon))
        return -1;
    numbers = update.numbers;
    numbers.rate *= rate;
    numbers.decay *= decay;
    numbers.step = PyLong_AsDouble(done) + 1;
    for (int i = 0; i < entry.parameters.count; ++i)
        if (std::strcmp(entry.parameters.name[i], "epsilon") == 0) numbers.settings[i] *= epsilon;
    job = job_of<T>(update.rule, parameter, gradient, states);
    return 1;
}

// The constants of a step are the same for parameters that have no settings of their own.
bool alike(const Numbers& a, const Numbers& b) {
    return a.rate == b.rate && a.step == b.step && std::equal(a.settings, a.settings + most_names, b.settings);
}

template <class T> bool update_all(const LayerUpdate& update, Held& held) {
    UpdateJob<T> jobs[most_parameters];
    PyObject* names[most_parameters];
    Numbers numbers[most_parameters];
    double work = 0;
    int count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(update.recipe); ++i) {
        PyObject* const ingredient = PyTuple_GET_ITEM(update.recipe, i);
        const int found = find_job(update, ingredient, held, jobs[count], numbers[count]);
        if (found < 0) return false;
        if (!found) continue;
        UpdateRule& rule = jobs[count].rule;
        if (count > 0 && alike(numbers[count], numbers[count - 1])) std::copy_n(jobs[count - 1].rule.constants, most_constants, rule.constants);
        else prepare(rule, numbers[count]);
        rule.decay = numbers[count].decay;
        names[count] = PyTuple_GET_ITEM(ingredient, 0);
        work += static_cast<double>(jobs[count++].n);
    }
    {
        const Unlocked unlocked(2 * work);
        for (int i = 0; i < count; ++i) model::update(jobs[i]);
    }
    for (int i = 0; i < count; ++i) {
        PyObject* const step = held.keep(PyLong_FromDouble(numbers[i].step));
        if (!step || PyDict_SetItem(update.steps, names[i], step) != 0) throw py::error_already_set();
    }
    return count > 0;
}

// (layer, token, rule, recipes, rate, decay, settings): false where the layer's way is another, and nothing was done.
bool update_plain(PyObject* const* arguments) {
    const LayerNames& names = layer_names();
    PyObject* const layer = arguments[0];
    Held held;
    PyObject *const trainable = attribute(layer, names.trainable, held), *const attributes = attribute(layer, names.dictionary, held);
    if ((trainable && trainable != Py_True) || !attributes || !PyDict_CheckExact(attributes)) return false;
    if (PyDict_GetItemWithError(attributes, names.token) != arguments[1]) return false;
    LayerUpdate update = {};
    update.attributes = attributes;
    update.steps = held.borrow(PyDict_GetItemWithError(attributes, names.steps));
    PyObject* const parameters = attribute(layer, names.names, held);
    if (!update.steps || !PyDict_CheckExact(update.steps) || (parameters && !PyTuple_CheckExact(parameters))) return false;
    update.recipe = held.borrow(PyDict_GetItemWithError(arguments[3], parameters ? parameters : Py_None));
    if (!update.recipe || PyTuple_GET_SIZE(update.recipe) == 0 || PyTuple_GET_SIZE(update.recipe) > most_parameters) return false;
    update.rate_factor = attribute(layer, names.rate, held);
    update.decay_factor = attribute(layer, names.decay, held);
    update.epsilon_factor = attribute(layer, names.epsilon, held);
    update.rule = rule_named(arguments[2]);
    update.numbers.rate = number(arguments[4], "rate");
    update.numbers.decay = number(arguments[5], "decay");
    read_settings(runtime::target().catalogue.rules[update.rule], arguments[6], update.numbers.settings);
    PyObject* const first = PyDict_GetItemWithError(attributes, PyTuple_GET_ITEM(PyTuple_GET_ITEM(update.recipe, 0), 0));
    if (!first) return false;
    return is_double(first, "parameter") ? update_all<double>(update, held) : update_all<float>(update, held);
}

PyObject* update_layer(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != 7) return wrong_count("update_layer", 7, count);
    const runtime::FloatingPointFlags flags;
    try {
        if (!PyDict_CheckExact(arguments[3])) throw py::type_error("recipes: expected a dict");
        const bool done = update_plain(arguments);
        if (PyErr_Occurred()) return nullptr;
        return PyBool_FromLong(done);
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
        {"update_layer", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&update_layer)), METH_FASTCALL,
         "update_layer(layer: Any, token: Any, rule: str, recipes: Any, rate: float, decay: float, settings: tuple) -> bool\n\n"
         "The same for the parameters that a layer has, by a recipe for its parameter_names: a tuple of (name, gradient, names of states, index, "
         "whether one decay factor acts on it). Counts their steps. False where nothing was done: the layer is frozen, another optimizer's, or its "
         "arrays are not all there."},
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
