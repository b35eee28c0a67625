// relu, sigmoid, tanh, softmax, dropout: forward and backward
#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/elementwise.hpp"

namespace chainrule::bindings {
namespace {

template <Activation kind> constexpr const char* forward_name = kind == Activation::relu      ? "relu_forward"
                                                                : kind == Activation::sigmoid ? "sigmoid_forward"
                                                                                              : "tanh_forward";
template <Activation kind> constexpr const char* backward_name = kind == Activation::relu      ? "relu_backward"
                                                                 : kind == Activation::sigmoid ? "sigmoid_backward"
                                                                                               : "tanh_backward";

template <Activation kind> struct ActivationForward {
    static constexpr const char* name = forward_name<kind>;
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 1;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = any_array<T>(args[0], "inputs");
        NewArray<T> output(inputs);
        {
            const Unlocked unlocked(8.0 * static_cast<double>(inputs.size()));
            model::activation_forward(kind, inputs.size(), inputs.data, output.data());
        }
        return output.release();
    }
};

// `state` is what the derivative is computed from: relu's inputs (its sign is that of the output), else the output.
template <Activation kind> struct ActivationBackward {
    static constexpr const char* name = backward_name<kind>;
    static constexpr const char* first = "dvalues";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> state = any_array<T>(args[1], kind == Activation::relu ? "inputs" : "output");
        const Array<const T> dvalues = array_like<T>(args[0], "dvalues", state);
        NewArray<T> dinputs(state);
        {
            const Unlocked unlocked(4.0 * static_cast<double>(state.size()));
            model::activation_backward(kind, state.size(), dvalues.data, state.data, dinputs.data());
        }
        return dinputs.release();
    }
};

struct SoftmaxForward {
    static constexpr const char* name = "softmax_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 1;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = matrix<T>(args[0], "inputs");
        NewArray<T> output(inputs);
        {
            const Unlocked unlocked(16.0 * static_cast<double>(inputs.size()));
            model::softmax_forward(inputs.rows(), inputs.columns(), inputs.data, output.data());
        }
        return output.release();
    }
};

struct SoftmaxBackward {
    static constexpr const char* name = "softmax_backward";
    static constexpr const char* first = "dvalues";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> output = matrix<T>(args[1], "output");
        const Array<const T> dvalues = array_like<T>(args[0], "dvalues", output);
        NewArray<T> dinputs(output);
        {
            const Unlocked unlocked(8.0 * static_cast<double>(output.size()));
            model::softmax_backward(output.rows(), output.columns(), dvalues.data, output.data, dinputs.data());
        }
        return dinputs.release();
    }
};

struct DropoutForward {
    static constexpr const char* name = "dropout_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 4;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = any_array<T>(args[0], "inputs");
        const double keep = number(args[1], "keep");
        if (!(keep > 0 && keep <= 1)) throw std::invalid_argument("keep: expected a number in (0, 1], got " + std::to_string(keep));
        const std::uint64_t key = unsigned_number(args[2], "key"), step = unsigned_number(args[3], "step");
        NewArray<T> output(inputs), mask(inputs);
        {
            const Unlocked unlocked(16.0 * static_cast<double>(inputs.size()));
            model::dropout_forward(inputs.size(), keep, key, step, inputs.data, output.data(), mask.data());
        }
        PyObject* const result = PyTuple_New(2);
        if (!result) throw py::error_already_set();
        PyTuple_SET_ITEM(result, 0, output.release());
        PyTuple_SET_ITEM(result, 1, mask.release());
        return result;
    }
};

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
    static PyMethodDef methods[] = {
        fast_method<ActivationForward<Activation::relu>>("relu_forward(inputs: numpy.ndarray) -> numpy.ndarray\n\nmax(inputs, 0); NaN passes."),
        fast_method<ActivationBackward<Activation::relu>>(
            "relu_backward(dvalues: numpy.ndarray, inputs: numpy.ndarray) -> numpy.ndarray\n\ndvalues where inputs > 0, else 0."),
        fast_method<ActivationForward<Activation::sigmoid>>("sigmoid_forward(inputs: numpy.ndarray) -> numpy.ndarray\n\n1 / (1 + exp(-inputs))."),
        fast_method<ActivationBackward<Activation::sigmoid>>(
            "sigmoid_backward(dvalues: numpy.ndarray, output: numpy.ndarray) -> numpy.ndarray\n\ndvalues * output * (1 - output)."),
        fast_method<ActivationForward<Activation::tanh>>("tanh_forward(inputs: numpy.ndarray) -> numpy.ndarray\n\ntanh(inputs)."),
        fast_method<ActivationBackward<Activation::tanh>>(
            "tanh_backward(dvalues: numpy.ndarray, output: numpy.ndarray) -> numpy.ndarray\n\ndvalues * (1 - output^2)."),
        fast_method<SoftmaxForward>("softmax_forward(inputs: numpy.ndarray) -> numpy.ndarray\n\nexp(x - max) / sum exp(x - max) of each row."),
        fast_method<SoftmaxBackward>(
            "softmax_backward(dvalues: numpy.ndarray, output: numpy.ndarray) -> numpy.ndarray\n\noutput * (dvalues - sum(dvalues * output)) of each row."),
        fast_method<DropoutForward>(
            "dropout_forward(inputs: numpy.ndarray, keep: float, key: int, step: int) -> tuple[numpy.ndarray, numpy.ndarray]\n\n"
            "inputs * mask and the mask, (u < keep) / keep; u from Philox4x32-10 with the counter (element, step)."),
        fast_method<Multiply>("multiply(a: numpy.ndarray, b: numpy.ndarray) -> numpy.ndarray\n\na * b, element by element."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
