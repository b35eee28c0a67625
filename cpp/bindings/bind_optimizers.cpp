// One step of each optimizer, in place on a parameter and its state arrays.
#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/elementwise.hpp"

namespace chainrule::bindings {
namespace {

bool truth_value(PyObject* object) {
    const int value = PyObject_IsTrue(object);
    if (value < 0) throw py::error_already_set();
    return value != 0;
}

template <class T> T* state(PyObject* object, const char* name, const Array<T>& parameter, const Array<const T>& gradient) {
    const Array<T> array = writable_like<T>(object, name, parameter);
    check_overlap(array, parameter, name);
    check_overlap(array, gradient, name);
    return array.data;
}

template <class T> PyObject* apply(UpdateJob<T>& job, const Array<T>& parameter, const Array<const T>& gradient) {
    check_overlap(parameter, gradient, "gradient");
    job.n = parameter.size();
    job.parameter = parameter.data;
    job.gradient = gradient.data;
    {
        const Unlocked unlocked(2.0 * static_cast<double>(job.n));
        model::update(job);
    }
    Py_RETURN_NONE;
}

struct SgdUpdate {
    static constexpr const char* name = "sgd_update";
    static constexpr const char* first = "parameter";
    static constexpr Py_ssize_t arguments = 3;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> parameter = writable<T>(args[0], "parameter");
        const Array<const T> gradient = array_like<T>(args[1], "gradient", parameter);
        UpdateJob<T> job = {};
        job.rule.rule = Rule::sgd;
        job.rule.rate = number(args[2], "rate");
        return apply(job, parameter, gradient);
    }
};

struct SgdMomentumUpdate {
    static constexpr const char* name = "sgd_momentum_update";
    static constexpr const char* first = "parameter";
    static constexpr Py_ssize_t arguments = 6;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> parameter = writable<T>(args[0], "parameter");
        const Array<const T> gradient = array_like<T>(args[1], "gradient", parameter);
        UpdateJob<T> job = {};
        job.momentums = state(args[2], "momentums", parameter, gradient);
        job.rule.rate = number(args[3], "rate");
        job.rule.momentum = number(args[4], "momentum");
        job.rule.rule = truth_value(args[5]) ? Rule::nesterov : Rule::momentum;
        return apply(job, parameter, gradient);
    }
};

struct AdagradUpdate {
    static constexpr const char* name = "adagrad_update";
    static constexpr const char* first = "parameter";
    static constexpr Py_ssize_t arguments = 5;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> parameter = writable<T>(args[0], "parameter");
        const Array<const T> gradient = array_like<T>(args[1], "gradient", parameter);
        UpdateJob<T> job = {};
        job.cache = state(args[2], "cache", parameter, gradient);
        job.rule.rule = Rule::adagrad;
        job.rule.rate = number(args[3], "rate");
        job.rule.epsilon = number(args[4], "epsilon");
        return apply(job, parameter, gradient);
    }
};

struct RmspropUpdate {
    static constexpr const char* name = "rmsprop_update";
    static constexpr const char* first = "parameter";
    static constexpr Py_ssize_t arguments = 6;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> parameter = writable<T>(args[0], "parameter");
        const Array<const T> gradient = array_like<T>(args[1], "gradient", parameter);
        UpdateJob<T> job = {};
        job.cache = state(args[2], "cache", parameter, gradient);
        job.rule.rule = Rule::rmsprop;
        job.rule.rate = number(args[3], "rate");
        job.rule.epsilon = number(args[4], "epsilon");
        job.rule.rho = number(args[5], "rho");
        return apply(job, parameter, gradient);
    }
};

struct AdamUpdate {
    static constexpr const char* name = "adam_update";
    static constexpr const char* first = "parameter";
    static constexpr Py_ssize_t arguments = 11;

    template <class T> static PyObject* call(Arguments args) {
        const Array<T> parameter = writable<T>(args[0], "parameter");
        const Array<const T> gradient = array_like<T>(args[1], "gradient", parameter);
        UpdateJob<T> job = {};
        job.momentums = state(args[2], "momentums", parameter, gradient);
        job.cache = state(args[3], "cache", parameter, gradient);
        job.rule.rule = Rule::adam;
        job.rule.rate = number(args[4], "rate");
        job.rule.beta_1 = number(args[5], "beta_1");
        job.rule.beta_2 = number(args[6], "beta_2");
        job.rule.correction_1 = number(args[7], "correction_1");
        job.rule.correction_2 = number(args[8], "correction_2");
        job.rule.epsilon = number(args[9], "epsilon");
        job.rule.decay = number(args[10], "decay");
        return apply(job, parameter, gradient);
    }
};

}  // namespace

void bind_optimizers(py::module_& module) {
    static PyMethodDef methods[] = {
        fast_method<SgdUpdate>("sgd_update(parameter: numpy.ndarray, gradient: numpy.ndarray, rate: float) -> None\n\nw -= rate * g, in place."),
        fast_method<SgdMomentumUpdate>(
            "sgd_momentum_update(parameter: numpy.ndarray, gradient: numpy.ndarray, momentums: numpy.ndarray, rate: float, momentum: float, "
            "nesterov: bool) -> None\n\nv = momentum * v - rate * g; w += v, or w += momentum * v - rate * g (Nesterov), in place."),
        fast_method<AdagradUpdate>(
            "adagrad_update(parameter: numpy.ndarray, gradient: numpy.ndarray, cache: numpy.ndarray, rate: float, epsilon: float) -> None\n\n"
            "c += g^2; w -= rate * g / (sqrt(c) + epsilon), in place."),
        fast_method<RmspropUpdate>(
            "rmsprop_update(parameter: numpy.ndarray, gradient: numpy.ndarray, cache: numpy.ndarray, rate: float, epsilon: float, rho: float) -> None\n\n"
            "c = rho * c + (1 - rho) * g^2; w -= rate * g / (sqrt(c) + epsilon), in place."),
        fast_method<AdamUpdate>(
            "adam_update(parameter: numpy.ndarray, gradient: numpy.ndarray, momentums: numpy.ndarray, cache: numpy.ndarray, rate: float, "
            "beta_1: float, beta_2: float, correction_1: float, correction_2: float, epsilon: float, decay: float) -> None\n\n"
            "w -= decay * w; m = beta_1 m + (1 - beta_1) g; c = beta_2 c + (1 - beta_2) g^2; "
            "w -= rate * (m / correction_1) / (sqrt(c / correction_2) + epsilon), in place."),
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
