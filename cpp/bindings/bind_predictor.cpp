// Predictor: the row of a model's layers as the core sees it. PackedNet: such a net with copies of the parameters.
//
// A Predictor knows the layers' classes, no objects and no values: each call looks at the layers anew, and reads the
// parameters from their __dict__. Where something is not as the core can take it, the call does nothing and says so (None):
// the Python classes then convert, or refuse in their words.
#include <pybind11/stl.h>

#include <cmath>
#include <memory>
#include <variant>

#include "bindings/bindings.hpp"
#include "bindings/initialised.hpp"
#include "bindings/predictor_arguments.hpp"
#include "bindings/targets.hpp"
#include "model/predictor.hpp"

namespace chainrule::bindings {
namespace {

// What a layer of a class does to its inputs: its kind, and the activation it is. One with settings is asked each time.
struct Layer {
    py::object type;
    enum class Kind { passes, product, factors, activation, shares, periodic, embedding } kind;
    Activation activation = Activation::identity;
    bool has_settings = false;
};

using Packed = std::variant<model::PackedNet<float>, model::PackedNet<double>>;

class PyPackedNet {
  public:
    template <class T> explicit PyPackedNet(const model::Net<T>& net) : net_(std::in_place_type<model::PackedNet<T>>, net) {}

    Index n_inputs() const {
        return std::visit([](const auto& net) { return net.n_inputs(); }, net_);
    }
    Index n_outputs() const {
        return std::visit([](const auto& net) { return net.n_outputs(); }, net_);
    }
    double operations() const {
        return std::visit([](const auto& net) { return net.flops(); }, net_);
    }
    const char* dtype() const { return std::holds_alternative<model::PackedNet<double>>(net_) ? "float64" : "float32"; }

    bool reads(const py::object& X) const {
        InputRows inputs;
        return read_inputs(X.ptr(), inputs) && inputs.columns == n_inputs();
    }
    py::object predict(const py::object& X, const py::object& out) const {
        return std::visit([&](const auto& net) { return predict_by(net, X, out); }, net_);
    }
    py::tuple evaluate(const py::object& X, const py::object& y, const std::string& loss, const std::vector<double>& loss_parameters, const std::string& metric,
                       double precision) const {
        return std::visit([&](const auto& net) { return evaluate_by(net, X, y, loss, loss_parameters, metric, precision); }, net_);
    }

  private:
    static model::Rows rows_of(const py::object& X, Index columns) {
        InputRows inputs;
        if (!read_inputs(X.ptr(), inputs) || inputs.columns != columns)
            throw std::invalid_argument("X: expected (n, " + std::to_string(columns) + "), rows of numbers side by side, aligned and native");
        return inputs.rows;
    }

    template <class T> static py::object predict_by(const model::PackedNet<T>& net, const py::object& X, const py::object& out) {
        const model::Rows rows = rows_of(X, net.n_inputs());
        const double work = net.flops() * static_cast<double>(rows.count);
        bool fine = true;
        if (!out.is_none()) {
            T* const output = read_out<T>(out.ptr(), rows.count, net.n_outputs());
            if (!output || !is_apart(out.ptr(), X.ptr()))
                throw std::invalid_argument("out: expected " + shape_text({rows.count, net.n_outputs()}) + " of the net's dtype, C-contiguous, writeable, apart from X");
            {
                const Unlocked unlocked(work);
                fine = net.predict(rows, output);
            }
            if (!fine) throw_no_codes();
            return out;
        }
        NewArray<T> output({rows.count, net.n_outputs()});
        {
            const Unlocked unlocked(work);
            fine = net.predict(rows, output.data());
        }
        if (!fine) throw_no_codes();
        return py::reinterpret_steal<py::object>(output.release());
    }

    [[noreturn]] static void throw_no_codes() { throw std::invalid_argument("X: expected codes of the embeddings' tables in their columns"); }

    // The samples' losses, and how many outputs are right.
    template <class T>
    static py::tuple evaluate_by(const model::PackedNet<T>& net, const py::object& X, const py::object& y, const std::string& loss, const std::vector<double>& loss_parameters,
                                 const std::string& metric, double precision) {
        const model::Rows rows = rows_of(X, net.n_inputs());
        model::Measures<T> measures = {};
        measures.loss = model::part_named<Loss>(model::catalogue().losses, "loss", loss);
        measures.metric = model::part_named<Metric>(model::catalogue().metrics, "metric", metric);
        measures.precision = precision;
        const LossEntry& entry = model::catalogue().losses[measures.loss];
        const std::size_t wanted = static_cast<std::size_t>(entry.parameter_per_output ? net.n_outputs() : entry.parameters.count);
        if (loss_parameters.size() != wanted || entry.joins >= 0) throw std::invalid_argument("loss: expected one that is not joint, with its parameters");
        measures.parameters = loss_parameters.data();
        read_targets(y.ptr(), entry, rows.count, net.n_outputs(), measures);
        NewArray<T> losses({rows.count});
        std::vector<T> hits(measures.metric == Metric::none ? 0 : static_cast<std::size_t>(rows.count));
        measures.sample_losses = losses.data();
        measures.hits = hits.data();
        double right = 0;
        bool fine = true;
        {
            const Unlocked unlocked(net.flops() * static_cast<double>(rows.count));
            fine = net.evaluate(rows, measures);
            const double each = metric == "categorical" ? 1 : static_cast<double>(net.n_outputs());
            for (const T share : hits) right += std::nearbyint(static_cast<double>(share) * each);
        }
        if (!fine) throw_no_codes();
        return py::make_tuple(py::reinterpret_steal<py::object>(losses.release()), static_cast<std::int64_t>(right));
    }

    template <class T> static void read_targets(PyObject* y, const LossEntry& entry, Index rows, Index outputs, model::Measures<T>& measures) {
        if (!PyArray_CheckExact(y)) throw std::invalid_argument("y: expected an array");
        PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(y);
        measures.target_columns = entry.one_target ? 1 : outputs;
        if (entry.labels && PyArray_NDIM(array) == 1) {
            measures.labels = check_labels(y, "y", rows, outputs);
            return;
        }
        if (!PyArray_ISCARRAY_RO(array) || !number_of_array(array, measures.target_numbers))
            throw std::invalid_argument("y: expected numbers, C-contiguous, aligned and native");
        if (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != rows || PyArray_DIM(array, 1) != measures.target_columns)
            throw_shape("y", shape_text({rows, measures.target_columns}), array);
        measures.targets = PyArray_DATA(array);
    }

    Packed net_;
};

// The attributes of a layer of such a class; null where it is another one, or has a forward of its own.
py::object state_of(const Layer& layer, PyObject* object) {
    if (reinterpret_cast<PyObject*>(Py_TYPE(object)) != layer.type.ptr()) return {};
    py::object state = py::reinterpret_steal<py::object>(PyObject_GenericGetDict(object, nullptr));
    if (!state) throw py::error_already_set();
    return PyDict_Contains(state.ptr(), keys().forward) ? py::object() : state;
}

class Predictor {
  public:
    // Tuples (class, kind, activation, has_settings).
    explicit Predictor(const py::object& layers) {
        for (const py::handle each : layers) {
            const auto [type, kind, activation, has_settings] = each.cast<std::tuple<py::object, std::string, std::string, bool>>();
            Layer layer = {type, kind_named(kind)};
            if (layer.kind == Layer::Kind::activation) layer.activation = activation_named(activation);
            layer.has_settings = has_settings;
            layers_.push_back(layer);
        }
    }

    // The output (n, m) of few rows; null where there are many, or something is not as the core takes it.
    PyObject* predict_few(PyObject* layers, PyObject* X, PyObject* out) const {
        InputRows inputs;
        if (!fits(layers) || !read_inputs(X, inputs)) return nullptr;
        return is_double(layers) ? predict_few_as<double>(layers, inputs, X, out) : predict_few_as<float>(layers, inputs, X, out);
    }

    py::object packed(const py::object& layers) const {
        if (!fits(layers.ptr())) return py::none();
        return is_double(layers.ptr()) ? packed_as<double>(layers.ptr()) : packed_as<float>(layers.ptr());
    }

  private:
    static Layer::Kind kind_named(const std::string& name) {
        if (name == "passes") return Layer::Kind::passes;
        if (name == "product") return Layer::Kind::product;
        if (name == "factors") return Layer::Kind::factors;
        if (name == "activation") return Layer::Kind::activation;
        if (name == "shares") return Layer::Kind::shares;
        if (name == "periodic") return Layer::Kind::periodic;
        if (name == "embedding") return Layer::Kind::embedding;
        throw std::invalid_argument("kind: expected passes, product, factors, activation, shares, periodic or embedding, got '" + name + "'");
    }
    static Activation activation_named(const std::string& name) {
        return model::part_named<Activation>(model::catalogue().activations, "activation", name);
    }

    bool fits(PyObject* layers) const { return PyList_CheckExact(layers) && PyList_GET_SIZE(layers) == static_cast<Py_ssize_t>(layers_.size()); }
    static PyObject* item(PyObject* layers, std::size_t i) { return PyList_GET_ITEM(layers, static_cast<Py_ssize_t>(i)); }

    // By the first product's weights; whether all are of one dtype is seen when they are read.
    bool is_double(PyObject* layers) const {
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            if (layers_[i].kind != Layer::Kind::product) continue;
            const py::object state = state_of(layers_[i], item(layers, i));
            PyObject* const weights = state ? PyDict_GetItemWithError(state.ptr(), keys().weights) : nullptr;
            return weights && PyArray_CheckExact(weights) && PyArray_TYPE(reinterpret_cast<PyArrayObject*>(weights)) == NPY_DOUBLE;
        }
        return false;
    }

    template <class T> bool read(PyObject* layers, Reading<T>& reading) const {
        reading.net.steps.reserve(layers_.size());
        reading.arrays.reserve(2 * layers_.size());
        for (std::size_t i = 0; i < layers_.size(); ++i) {
            const py::object layer = py::reinterpret_borrow<py::object>(item(layers, i)), state = state_of(layers_[i], layer.ptr());
            if (!state) return false;
            switch (layers_[i].kind) {
                case Layer::Kind::passes: break;
                case Layer::Kind::product:
                    if (!reading.add_product(state.ptr())) return false;
                    break;
                case Layer::Kind::factors:
                    if (!reading.add_row(state.ptr(), model::Map::factors)) return false;
                    break;
                case Layer::Kind::periodic:
                    if (!reading.add_periodic(state.ptr())) return false;
                    break;
                case Layer::Kind::embedding:
                    if (!reading.add_embedding(state.ptr())) return false;
                    break;
                case Layer::Kind::shares:
                    if (!add_shares(state.ptr(), reading)) return false;
                    break;
                case Layer::Kind::activation:
                    if (!add_activation(layers_[i], layer, reading)) return false;
            }
            if (!fits(layers)) return false;  // settings may run any Python
        }
        return reading.finish();
    }

    // A row of shares and the activation, whose settings are asked for each time.
    template <class T> static bool add_shares(PyObject* state, Reading<T>& reading) {
        const py::object activation = py::reinterpret_borrow<py::object>(PyDict_GetItemWithError(state, keys().activation));
        if (!activation || !reading.add_row(state, model::Map::shares)) return false;
        if (!add_activation({{}, Layer::Kind::activation, Activation::identity, true}, activation, reading)) return false;
        const model::ForwardStep<T>& step = reading.net.steps.back();
        return step.has_activation() && !step.entry().by_rows;
    }

    template <class T> static bool add_activation(const Layer& known, const py::object& layer, Reading<T>& reading) {
        double parameters[most_names] = {};
        Activation activation = known.activation;
        if (known.has_settings) {
            activation = activation_named(call_method(layer.ptr(), keys().name_in_core).cast<std::string>());
            const py::tuple values = call_method(layer.ptr(), keys().parameters);
            if (values.size() != static_cast<std::size_t>(model::catalogue().activations[activation].parameters.count)) return false;
            for (std::size_t i = 0; i < values.size(); ++i) {
                PyObject* const value = PyTuple_GET_ITEM(values.ptr(), static_cast<Py_ssize_t>(i));
                parameters[i] = running_python([=] { return PyFloat_AsDouble(value); });
                if (PyErr_Occurred()) {
                    PyErr_Clear();
                    return false;
                }
            }
        }
        reading.add_activation(activation, parameters);
        return true;
    }

    template <class T> PyObject* predict_few_as(PyObject* layers, const InputRows& inputs, PyObject* X, PyObject* out) const {
        Reading<T> reading;
        if (!read(layers, reading) || reading.net.n_inputs() != inputs.columns || !model::is_few(reading.net.steps, inputs.rows.count)) return nullptr;
        const Index columns = reading.net.n_outputs();
        const double work = reading.net.flops() * static_cast<double>(inputs.rows.count);
        bool fine = true;
        if (out != Py_None) {
            T* const output = read_out<T>(out, inputs.rows.count, columns);
            if (!output || !is_apart(out, X)) return nullptr;
            for (const py::object& array : reading.arrays)
                if (!is_apart(out, array.ptr())) return nullptr;
            {
                const Unlocked unlocked(work);
                fine = model::predict_few(reading.net, inputs.rows, output);
            }
            return fine ? py::reinterpret_borrow<py::object>(out).release().ptr() : nullptr;
        }
        NewArray<T> output({inputs.rows.count, columns});
        {
            const Unlocked unlocked(work);
            fine = model::predict_few(reading.net, inputs.rows, output.data());
        }
        return fine ? output.release() : nullptr;
    }

    template <class T> py::object packed_as(PyObject* layers) const {
        Reading<T> reading;
        if (!read(layers, reading)) return py::none();
        std::unique_ptr<PyPackedNet> net;
        {
            const Unlocked unlocked(reading.net.flops());
            net = std::make_unique<PyPackedNet>(reading.net);
        }
        return py::cast(std::move(net));
    }

    std::vector<Layer> layers_;
};

}  // namespace
}  // namespace chainrule::bindings

namespace pybind11::detail {
using chainrule::bindings::InitialisedCaster;
template <> struct type_caster<chainrule::bindings::PyPackedNet> : InitialisedCaster<chainrule::bindings::PyPackedNet> {};
template <> struct type_caster<chainrule::bindings::Predictor> : InitialisedCaster<chainrule::bindings::Predictor> {};
}  // namespace pybind11::detail

namespace chainrule::bindings {
namespace {

PyObject* predict_few(PyObject*, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count != 4) return wrong_count("predict_few", 4, count);
    const runtime::FloatingPointFlags flags;
    try {
        PyObject* const output = py::cast<const Predictor&>(py::handle(arguments[0])).predict_few(arguments[1], arguments[2], arguments[3]);
        if (output) return output;
    } catch (...) {
        return translate_exception();
    }
    Py_RETURN_NONE;
}

}  // namespace

void bind_predictor(py::module_& module) {
    py::class_<PyPackedNet>(module, "PackedNet", "A model's layers with copies of their parameters; any number of threads may use it at once.")
        .def_property_readonly("n_inputs", &PyPackedNet::n_inputs)
        .def_property_readonly("n_outputs", &PyPackedNet::n_outputs)
        .def_property_readonly("dtype", &PyPackedNet::dtype)
        .def_property_readonly("operations", &PyPackedNet::operations, "That one row takes.")
        .def("reads", &PyPackedNet::reads, py::arg("X"), "Whether X is as `predict` and `evaluate` take it.")
        .def("predict", &PyPackedNet::predict, KeepsFlags(), py::arg("X"), py::arg("out"), "The output (n, m) for X (n, d), a new array or `out`.")
        .def("evaluate", &PyPackedNet::evaluate, KeepsFlags(), py::arg("X"), py::arg("y"), py::arg("loss"), py::arg("loss_parameters"), py::arg("metric"), py::arg("precision"),
             "Each sample's loss, and how many outputs are right.");
    py::class_<Predictor>(module, "Predictor", "A row of layers as the core sees it; `chainrule.training.predicting` describes their classes.")
        .def(py::init<const py::object&>(), py::arg("layers"))
        .def("packed", &Predictor::packed, py::arg("layers"), "A PackedNet of the parameters as they are now; None where the core cannot take them.");
    static PyMethodDef methods[] = {
        {"predict_few", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&predict_few)), METH_FASTCALL,
         "predict_few(predictor: typing.Any, layers: typing.Any, X: typing.Any, out: typing.Any) -> typing.Any\n\n"
         "The output for a few rows, weights read in place; None where there are many, or the core cannot take something."},
        {nullptr, nullptr, 0, nullptr}};
    add_methods(module, methods);
}

}  // namespace chainrule::bindings
