// Losses: <name>_forward gives one value per sample, <name>_backward the gradient of their mean, for each of the catalogue; sum
//
// A joint loss's forward takes its activation's inputs and gives that one's output too; its backward takes that output.
#include <algorithm>
#include <vector>

#include "bindings/bindings.hpp"
#include "bindings/catalogue_methods.hpp"
#include "bindings/targets.hpp"
#include "model/elementwise.hpp"
#include "runtime/dispatch.hpp"

namespace chainrule::bindings {
namespace {

const LossEntry& entry_at(int place) { return runtime::target().catalogue.losses[place]; }

// What both directions take: predictions (n, m), targets or labels, the loss's parameters.
template <class T> struct LossCall {
    Array<const T> y_pred;
    std::vector<double> parameters;
    model::LossArrays<T> arrays = {};

    LossCall(int place, const char* name, Arguments args, Py_ssize_t count) : y_pred(matrix<T>(args[0], name)) {
        const LossEntry& entry = entry_at(place);
        const Index wanted = entry.parameter_per_output ? y_pred.columns() : entry.parameters.count;
        if (count != 2 + wanted)
            throw py::type_error(std::string(entry.name) + ": expected " + std::to_string(2 + wanted) + " arguments, got " + std::to_string(count));
        for (Index i = 0; i < wanted; ++i) parameters.push_back(number(args[2 + i], entry.parameters.name[entry.parameter_per_output ? 0 : i]));
        arrays.loss = static_cast<Loss>(place);
        arrays.parameters = parameters.data();
        arrays.rows = y_pred.rows();
        arrays.columns = y_pred.columns();
        arrays.target_columns = entry.one_target ? 1 : y_pred.columns();
        read_targets(entry, args[1]);
    }

    void read_targets(const LossEntry& entry, PyObject* object) {
        if (entry.labels && PyArray_CheckExact(object) && PyArray_NDIM(reinterpret_cast<PyArrayObject*>(object)) == 1) {
            arrays.labels = check_labels(object, "y_true", arrays.rows, arrays.columns);
            return;
        }
        arrays.targets = matrix_of<T>(object, "y_true", arrays.rows, arrays.target_columns).data;
        check_domain(arrays.targets, arrays.rows, arrays.target_columns, entry.domain, "y_true");
    }

    double work(double each) const { return each * static_cast<double>(y_pred.size()); }
};

struct LossForward {
    static constexpr const char* first = "y_pred";

    template <class T> static PyObject* call(int place, Arguments args, Py_ssize_t count) {
        if (entry_at(place).joins >= 0) return joint_call<T>(place, args, count);
        LossCall<T> job(place, "y_pred", args, count);
        NewArray<T> losses({job.arrays.rows});
        job.arrays.output = const_cast<T*>(job.y_pred.data);  // only a joint loss writes there
        job.arrays.sample_losses = losses.data();
        {
            const Unlocked unlocked(job.work(16));
            model::loss<T>(job.arrays);
        }
        return losses.release();
    }

    template <class T> static PyObject* joint_call(int place, Arguments args, Py_ssize_t count) {
        LossCall<T> job(place, "inputs", args, count);
        NewArray<T> output(job.y_pred), losses({job.arrays.rows});
        job.arrays.output = output.data();
        job.arrays.sample_losses = losses.data();
        {
            const Unlocked unlocked(job.work(24));
            std::copy_n(job.y_pred.data, job.y_pred.size(), output.data());
            model::loss<T>(job.arrays);
        }
        return tuple_of_new({output.release(), losses.release()});
    }
};

struct LossBackward {
    static constexpr const char* first = "dvalues";

    template <class T> static PyObject* call(int place, Arguments args, Py_ssize_t count) {
        LossCall<T> job(place, "dvalues", args, count);
        NewArray<T> dinputs(job.y_pred);
        job.arrays.output = const_cast<T*>(job.y_pred.data);
        job.arrays.activated = true;
        job.arrays.dvalues = dinputs.data();
        {
            const Unlocked unlocked(job.work(8));
            model::loss<T>(job.arrays);
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
    const Entries<LossEntry>& entries = runtime::target().catalogue.losses;
    for (int i = 0; i < entries.count; ++i) {
        const LossEntry& entry = entries[i];
        const std::string name = entry.name;
        const std::string parameters = entry.parameter_per_output ? ", *" + std::string(entry.parameters.name[0]) + "s: float" : signature_of(entry.parameters);
        const std::string result = entry.joins < 0 ? "numpy.ndarray" : "tuple[numpy.ndarray, numpy.ndarray]";
        add_entry_method(module, name + "_forward", i, entry_call<LossForward>,
                         "(" + std::string(entry.joins < 0 ? "y_pred" : "inputs") + ": numpy.ndarray, y_true: numpy.ndarray" + parameters + ") -> " + result + "\n\n" + entry.value +
                             ".");
        add_entry_method(module, name + "_backward", i, entry_call<LossBackward>,
                         "(dvalues: numpy.ndarray, y_true: numpy.ndarray" + parameters + ") -> numpy.ndarray\n\n" + entry.gradient + ".");
    }
    static PyMethodDef methods[] = {fast_method<Sum>("sum(values: numpy.ndarray) -> float\n\nSum of all values, in double."), {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
