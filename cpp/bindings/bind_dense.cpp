// dense_forward, dense_backward, dense_gradients, regularize
#include <optional>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/dense.hpp"
#include "model/elementwise.hpp"

namespace chainrule::bindings {
namespace {

struct DenseForward {
    static constexpr const char* name = "dense_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 3;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> weights = matrix<T>(args[1], "weights");
        const Array<const T> inputs = matrix_with_columns<T>(args[0], "inputs", weights.rows());
        const Array<const T> biases = matrix_of<T>(args[2], "biases", 1, weights.columns());
        NewArray<T> output({inputs.rows(), weights.columns()});
        const model::DenseShape shape = {inputs.rows(), weights.rows(), weights.columns()};
        {
            const Unlocked unlocked(shape.flops());
            model::dense_forward(shape, inputs.data, weights.data, biases.data, output.data());
        }
        return output.release();
    }
};

// dweights, dbiases and, where they are asked for, dinputs.
template <bool with_dinputs> struct DenseBackward {
    static constexpr const char* name = with_dinputs ? "dense_backward" : "dense_gradients";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 3;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> weights = matrix<T>(args[2], "weights");
        const Array<const T> inputs = matrix_with_columns<T>(args[0], "inputs", weights.rows());
        const Array<const T> dvalues = matrix_of<T>(args[1], "dvalues", inputs.rows(), weights.columns());
        NewArray<T> dweights(weights), dbiases({1, weights.columns()});
        std::optional<NewArray<T>> dinputs;
        if (with_dinputs) dinputs.emplace(inputs);
        const model::DenseShape shape = {inputs.rows(), weights.rows(), weights.columns()};
        {
            const Unlocked unlocked(shape.flops());
            model::dense_backward<T>(shape, inputs.data, dvalues.data, weights.data, dweights.data(), dbiases.data(), dinputs ? dinputs->data() : nullptr);
        }
        return tuple_of_new({dweights.release(), dbiases.release(), released(dinputs)});
    }
};

struct Regularize {
    static constexpr const char* name = "regularize";
    static constexpr const char* first = "gradient";
    static constexpr Py_ssize_t arguments = 4;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> gradient = writable<T>(args[0], "gradient");
        const Array<const T> parameter = array_like<T>(args[1], "parameter", gradient);
        check_overlap(gradient, parameter, "parameter");
        const double l1 = number(args[2], "l1"), l2 = number(args[3], "l2");
        {
            const Unlocked unlocked(static_cast<double>(gradient.size()));
            model::regularize(gradient.size(), l1, l2, parameter.data, gradient.data);
        }
        Py_RETURN_NONE;
    }
};

}  // namespace

void bind_dense(py::module_& module) {
    static PyMethodDef methods[] = {
        fast_method<DenseForward>(
            "dense_forward(inputs: numpy.ndarray, weights: numpy.ndarray, biases: numpy.ndarray) -> numpy.ndarray\n\n"
            "inputs (n, d) . weights (d, m) + biases (1, m) -> a new array (n, m)."),
        fast_method<DenseBackward<true>>(
            "dense_backward(inputs: numpy.ndarray, dvalues: numpy.ndarray, weights: numpy.ndarray) -> "
            "tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]\n\n"
            "dweights (d, m) = inputs^T . dvalues, dbiases (1, m) = sum of dvalues, dinputs (n, d) = dvalues . weights^T."),
        fast_method<DenseBackward<false>>(
            "dense_gradients(inputs: numpy.ndarray, dvalues: numpy.ndarray, weights: numpy.ndarray) -> "
            "tuple[numpy.ndarray, numpy.ndarray]\n\n"
            "dense_backward without dinputs: dweights (d, m) = inputs^T . dvalues, dbiases (1, m) = sum of dvalues."),
        fast_method<Regularize>(
            "regularize(gradient: numpy.ndarray, parameter: numpy.ndarray, l1: float, l2: float) -> None\n\n"
            "gradient += l1 * sign(parameter) + 2 * l2 * parameter, in place; sign(0) = +1."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
