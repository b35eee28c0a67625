// Activations: <name>_forward and <name>_backward for each of the catalogue; dropout; multiply
#include <array>

#include "bindings/bindings.hpp"
#include "bindings/catalogue_methods.hpp"
#include "model/elementwise.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::bindings {
namespace {

const ActivationEntry& entry_at(int place) { return runtime::target().catalogue.activations[place]; }

// By rows an activation wants a matrix; else any shape will do.
template <class T> Array<const T> operand(const ActivationEntry& entry, PyObject* object, const char* name) {
    return entry.by_rows ? matrix<T>(object, name) : any_array<T>(object, name);
}
template <class T> model::ActivationShape shape_of(int place, const double* parameters, const Array<const T>& array) {
    const bool rows = entry_at(place).by_rows;
    return {static_cast<Activation>(place), parameters, rows ? array.rows() : 1, rows ? array.columns() : array.size()};
}

struct ActivationForward {
    static constexpr const char* first = "inputs";

    template <class T> static PyObject* call(int place, Arguments args, Py_ssize_t count) {
        const ActivationEntry& entry = entry_at(place);
        std::array<double, most_names> parameters;
        read_parameters(args, 1, count, entry.parameters, entry.name, parameters);
        const Array<const T> inputs = operand<T>(entry, args[0], "inputs");
        NewArray<T> output(inputs);
        {
            const Unlocked unlocked(8.0 * static_cast<double>(inputs.size()));
            model::activation_forward(shape_of(place, parameters.data(), inputs), inputs.data, output.data());
        }
        return output.release();
    }
};

struct ActivationBackward {
    static constexpr const char* first = "dvalues";

    template <class T> static PyObject* call(int place, Arguments args, Py_ssize_t count) {
        const ActivationEntry& entry = entry_at(place);
        std::array<double, most_names> parameters;
        read_parameters(args, 2, count, entry.parameters, entry.name, parameters);
        const Array<const T> saved = operand<T>(entry, args[1], entry.needs_inputs ? "inputs" : "output");
        const Array<const T> dvalues = array_like<T>(args[0], "dvalues", saved);
        NewArray<T> dinputs(saved);
        {
            const Unlocked unlocked(4.0 * static_cast<double>(saved.size()));
            model::activation_backward(shape_of(place, parameters.data(), saved), dvalues.data, saved.data, dinputs.data());
        }
        return dinputs.release();
    }
};

struct DropoutForward {
    static constexpr const char* name = "dropout_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 5;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = any_array<T>(args[0], "inputs");
        const double keep = number(args[1], "keep");
        if (!(keep > 0 && keep <= 1)) throw std::invalid_argument("keep: expected a number in (0, 1], got " + std::to_string(keep));
        const std::uint64_t key = unsigned_number(args[2], "key"), step = unsigned_number(args[3], "step"), start = unsigned_number(args[4], "start");
        NewArray<T> output(inputs), mask(inputs);
        {
            const Unlocked unlocked(16.0 * static_cast<double>(inputs.size()));
            model::dropout_forward(inputs.size(), keep, key, step, start, inputs.data, output.data(), mask.data());
        }
        return tuple_of_new({output.release(), mask.release()});
    }
};

// Its last argument may be left out.
PyObject* dropout_forward(PyObject* self, Arguments args, Py_ssize_t count) noexcept {
    constexpr Py_ssize_t fewest = DropoutForward::arguments - 1;
    if (count < fewest) return wrong_count(DropoutForward::name, fewest, count);
    if (count > fewest) return fast_call<DropoutForward>(self, args, count);
    PyObject* const start = PyLong_FromLong(0);
    PyObject* const all[] = {args[0], args[1], args[2], args[3], start};
    PyObject* const result = fast_call<DropoutForward>(self, all, DropoutForward::arguments);
    Py_DECREF(start);
    return result;
}

struct Multiply {
    static constexpr const char* name = "multiply";
    static constexpr const char* first = "a";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> a = any_array<T>(args[0], "a");
        const Array<const T> b = array_like<T>(args[1], "b", a);
        NewArray<T> output(a);
        {
            const Unlocked unlocked(static_cast<double>(a.size()));
            model::multiply(a.size(), a.data, b.data, output.data());
        }
        return output.release();
    }
};

}  // namespace

void bind_activations(py::module_& module) {
    const Entries<ActivationEntry>& entries = runtime::target().catalogue.activations;
    for (int i = 0; i < entries.count; ++i) {
        const ActivationEntry& entry = entries[i];
        const std::string name = entry.name, parameters = signature_of(entry.parameters), saved = entry.needs_inputs ? "inputs" : "output";
        add_entry_method(module, name + "_forward", i, entry_call<ActivationForward>,
                         "(inputs: numpy.ndarray" + parameters + ") -> numpy.ndarray\n\n" + entry.forward + ".");
        add_entry_method(module, name + "_backward", i, entry_call<ActivationBackward>,
                         "(dvalues: numpy.ndarray, " + saved + ": numpy.ndarray" + parameters + ") -> numpy.ndarray\n\n" + entry.backward + ".");
    }
    static PyMethodDef methods[] = {
        {DropoutForward::name, reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&dropout_forward)), METH_FASTCALL,
         "dropout_forward(inputs: numpy.ndarray, keep: float, key: int, step: int, start: int = 0) -> tuple[numpy.ndarray, numpy.ndarray]\n\n"
         "inputs * mask and the mask, (u < keep) / keep; u from Philox4x32-10 with the counter (element, step). The elements are "
         "numbers start, start + 1, ... of the step's stream."},
        fast_method<Multiply>("multiply(a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray\n\na * b, element by element."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
