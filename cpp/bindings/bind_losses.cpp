// The losses: <name>_forward gives one value per sample, <name>_backward the gradient of their mean.
#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/elementwise.hpp"

namespace chainrule::bindings {
namespace {

// y_true as targets of y_pred's shape or, where the loss takes them, as labels.
template <class T> struct Truth {
    const T* targets = nullptr;
    const std::int64_t* labels = nullptr;
};

template <class T> Truth<T> labels_of(PyObject* object, const Array<const T>& y_pred) {
    PyArrayObject* const array = check_array(object, NPY_INT64, "y_true");
    if (PyArray_DIM(array, 0) != y_pred.rows()) throw_shape("y_true", shape_text({y_pred.rows()}), array);
    const auto* labels = static_cast<const std::int64_t*>(PyArray_DATA(array));
    for (Index i = 0; i < y_pred.rows(); ++i)
        if (labels[i] < 0 || labels[i] >= y_pred.columns())
            throw std::invalid_argument("y_true: label " + std::to_string(labels[i]) + " at index " + std::to_string(i) + ": expected 0 to " +
                                        std::to_string(y_pred.columns() - 1));
    return {nullptr, labels};
}

template <class T> Truth<T> truth(PyObject* object, const Array<const T>& y_pred, bool labels_allowed) {
    if (labels_allowed && PyArray_CheckExact(object) && PyArray_NDIM(reinterpret_cast<PyArrayObject*>(object)) == 1)
        return labels_of(object, y_pred);
    return {array_like<T>(object, "y_true", y_pred).data, nullptr};
}

struct Description {
    const char *forward_name, *backward_name;
    bool labels;
};
constexpr Description descriptions[] = {
    {"half_squared_error_forward", "half_squared_error_backward", false},
    {"mean_squared_error_forward", "mean_squared_error_backward", false},
    {"mean_absolute_error_forward", "mean_absolute_error_backward", false},
    {"binary_crossentropy_forward", "binary_crossentropy_backward", false},
    {"categorical_crossentropy_forward", "categorical_crossentropy_backward", true},
    {"softmax_crossentropy_forward", "softmax_crossentropy_backward", true},
};

template <Loss kind> struct LossForward {
    static constexpr Description description = descriptions[static_cast<int>(kind)];
    static constexpr const char* name = description.forward_name;
    static constexpr const char* first = "y_pred";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> y_pred = matrix<T>(args[0], "y_pred");
        const Truth<T> y_true = truth(args[1], y_pred, description.labels);
        NewArray<T> losses({y_pred.rows()});
        {
            const Unlocked unlocked(16.0 * static_cast<double>(y_pred.size()));
            // only softmax_crossentropy writes to its output
            model::loss<T>({kind, y_pred.rows(), y_pred.columns(), const_cast<T*>(y_pred.data), y_true.targets, y_true.labels, losses.data(), nullptr});
        }
        return losses.release();
    }
};

struct SoftmaxCrossentropyForward {
    static constexpr const char* name = "softmax_crossentropy_forward";
    static constexpr const char* first = "inputs";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> inputs = matrix<T>(args[0], "inputs");
        const Truth<T> y_true = truth(args[1], inputs, true);
        NewArray<T> output(inputs), losses({inputs.rows()});
        {
            const Unlocked unlocked(16.0 * static_cast<double>(inputs.size()));
            model::softmax_forward(inputs.rows(), inputs.columns(), inputs.data, output.data());
            model::loss<T>({Loss::categorical_crossentropy, inputs.rows(), inputs.columns(), output.data(), y_true.targets, y_true.labels, losses.data(), nullptr});
        }
        PyObject* const result = PyTuple_New(2);
        if (!result) throw py::error_already_set();
        PyTuple_SET_ITEM(result, 0, output.release());
        PyTuple_SET_ITEM(result, 1, losses.release());
        return result;
    }
};

// From probabilities, softmax's joint gradient (p - y) / n is that of half the squared error.
constexpr Loss gradient_of(Loss kind) { return kind == Loss::softmax_crossentropy ? Loss::half_squared_error : kind; }

template <Loss kind> struct LossBackward {
    static constexpr Description description = descriptions[static_cast<int>(kind)];
    static constexpr const char* name = description.backward_name;
    static constexpr const char* first = "dvalues";
    static constexpr Py_ssize_t arguments = 2;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> y_pred = matrix<T>(args[0], "dvalues");
        const Truth<T> y_true = truth(args[1], y_pred, description.labels);
        NewArray<T> dinputs(y_pred);
        {
            const Unlocked unlocked(8.0 * static_cast<double>(y_pred.size()));
            model::loss<T>({gradient_of(kind), y_pred.rows(), y_pred.columns(), const_cast<T*>(y_pred.data), y_true.targets, y_true.labels, nullptr,
                            dinputs.data()});
        }
        return dinputs.release();
    }
};

struct Sum {
    static constexpr const char* name = "sum";
    static constexpr const char* first = "values";
    static constexpr Py_ssize_t arguments = 1;

    template <class T> static PyObject* call(Arguments args) {
        const Array<const T> values = any_array<T>(args[0], "values");
        double total;
        {
            const Unlocked unlocked(static_cast<double>(values.size()));
            total = model::sum(values.size(), values.data);
        }
        PyObject* const result = PyFloat_FromDouble(total);
        if (!result) throw py::error_already_set();
        return result;
    }
};

}  // namespace

void bind_losses(py::module_& module) {
    static PyMethodDef methods[] = {
        fast_method<LossForward<Loss::half_squared_error>>(
            "half_squared_error_forward(y_pred: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\nsum_j (p - y)^2 / 2 per sample."),
        fast_method<LossBackward<Loss::half_squared_error>>(
            "half_squared_error_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n(p - y) / n."),
        fast_method<LossForward<Loss::mean_squared_error>>(
            "mean_squared_error_forward(y_pred: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\nmean_j (p - y)^2 per sample."),
        fast_method<LossBackward<Loss::mean_squared_error>>(
            "mean_squared_error_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n2 (p - y) / m / n."),
        fast_method<LossForward<Loss::mean_absolute_error>>(
            "mean_absolute_error_forward(y_pred: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\nmean_j |p - y| per sample."),
        fast_method<LossBackward<Loss::mean_absolute_error>>(
            "mean_absolute_error_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\nsign(p - y) / m / n."),
        fast_method<LossForward<Loss::binary_crossentropy>>(
            "binary_crossentropy_forward(y_pred: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n"
            "mean_j -(y log p + (1 - y) log(1 - p)) per sample, p clipped to [1e-7, 1 - 1e-7]."),
        fast_method<LossBackward<Loss::binary_crossentropy>>(
            "binary_crossentropy_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n"
            "-(y / p - (1 - y) / (1 - p)) / m / n, p clipped to [1e-7, 1 - 1e-7]."),
        fast_method<LossForward<Loss::categorical_crossentropy>>(
            "categorical_crossentropy_forward(y_pred: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n"
            "-sum_j y log p per sample, p clipped to [1e-7, 1 - 1e-7]; y_true int64 labels (n,) or targets (n, m)."),
        fast_method<LossBackward<Loss::categorical_crossentropy>>(
            "categorical_crossentropy_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n"
            "-y / p / n, p at least 1e-7."),
        fast_method<SoftmaxCrossentropyForward>(
            "softmax_crossentropy_forward(inputs: numpy.ndarray, y_true: numpy.ndarray) -> tuple[numpy.ndarray, numpy.ndarray]\n\n"
            "softmax(inputs) and the categorical cross-entropy per sample."),
        fast_method<LossBackward<Loss::softmax_crossentropy>>(
            "softmax_crossentropy_backward(dvalues: numpy.ndarray, y_true: numpy.ndarray) -> numpy.ndarray\n\n"
            "(p - onehot(y)) / n with dvalues = p, the softmax output."),
        fast_method<Sum>("sum(values: numpy.ndarray) -> float\n\nSum of all values, in double."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
