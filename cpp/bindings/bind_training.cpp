// Training: the compiled plan behind Model.train. Python owns every array and hands it over for the length of a call.
#include <pybind11/stl.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "bindings/arrays.hpp"
#include "bindings/bindings.hpp"
#include "model/training.hpp"

namespace chainrule::bindings {
namespace {

using model::StageArrays;

template <class Enum> Enum chosen(const std::string& what, const std::string& name, std::initializer_list<std::pair<const char*, Enum>> choices) {
    std::string names;
    for (const auto& [text, value] : choices) {
        if (name == text) return value;
        names += (names.empty() ? "" : ", ") + std::string(text);
    }
    throw std::invalid_argument(what + ": expected one of " + names + ", got '" + name + "'");
}

Activation activation_named(const std::string& name) {
    return chosen<Activation>("activation", name, {{"linear", Activation::linear}, {"relu", Activation::relu}, {"sigmoid", Activation::sigmoid},
                                                   {"tanh", Activation::tanh}, {"softmax", Activation::softmax}});
}
Loss loss_named(const std::string& name) {
    return chosen<Loss>("loss", name, {{"half_squared_error", Loss::half_squared_error}, {"mean_squared_error", Loss::mean_squared_error},
                                       {"mean_absolute_error", Loss::mean_absolute_error}, {"binary_crossentropy", Loss::binary_crossentropy},
                                       {"categorical_crossentropy", Loss::categorical_crossentropy},
                                       {"softmax_crossentropy", Loss::softmax_crossentropy}});
}
Metric metric_named(const std::string& name) {
    return chosen<Metric>("metric", name, {{"none", Metric::none}, {"categorical", Metric::categorical}, {"binary", Metric::binary}, {"regression", Metric::regression}});
}
Rule rule_named(const std::string& name) {
    return chosen<Rule>("rule", name, {{"sgd", Rule::sgd}, {"momentum", Rule::momentum}, {"nesterov", Rule::nesterov}, {"adagrad", Rule::adagrad},
                                       {"rmsprop", Rule::rmsprop}, {"adam", Rule::adam}});
}

model::Dropout dropout_of(const py::tuple& item) {
    return {item[0].cast<double>(), item[1].cast<std::uint64_t>(), item[2].cast<std::uint64_t>()};
}

// A stage: (n_inputs, n_neurons, activation, (keep, key, step), weight_l1, weight_l2, bias_l1, bias_l2).
model::Stage stage_of(const py::tuple& item) {
    return {item[0].cast<Index>(), item[1].cast<Index>(), activation_named(item[2].cast<std::string>()), dropout_of(item[3].cast<py::tuple>()),
            item[4].cast<double>(), item[5].cast<double>(), item[6].cast<double>(), item[7].cast<double>()};
}

model::Network network_of(const py::dict& spec) {
    model::Network network;
    for (const py::handle item : spec["stages"]) network.stages.push_back(stage_of(item.cast<py::tuple>()));
    network.input_dropout = dropout_of(spec["input_dropout"].cast<py::tuple>());
    network.loss = loss_named(spec["loss"].cast<std::string>());
    network.metric = metric_named(spec["metric"].cast<std::string>());
    network.precision = spec["precision"].cast<double>();
    network.batch_size = spec["batch_size"].cast<Index>();
    network.labels = spec["labels"].cast<bool>();
    network.rule = rule_named(spec["rule"].cast<std::string>());
    network.clips = spec["clips"].cast<bool>();
    return network;
}

// Any C-contiguous float32 or float64 matrix; the engine converts while it gathers.
bool float_matrix(PyObject* object, const char* name, Index rows, Index columns, const void** data) {
    if (is_double(object, name)) {
        *data = matrix_of<double>(object, name, rows, columns).data;
        return true;
    }
    *data = matrix_of<float>(object, name, rows, columns).data;
    return false;
}

// (X, y, sample_weight or None); y is float targets (n, m) or int64 labels (n,).
model::Samples samples_of(const py::object& object, const model::Network& network) {
    model::Samples samples;
    if (object.is_none()) return samples;
    const py::tuple item = object.cast<py::tuple>();
    samples.count = static_cast<Index>(py::len(item[0]));
    samples.inputs_double = float_matrix(py::object(item[0]).ptr(), "X", samples.count, network.stages.front().n_inputs, &samples.inputs);
    const py::object y = item[1];
    if (network.labels) {
        PyArrayObject* const labels = check_array(y.ptr(), NPY_INT64, "y");
        if (PyArray_NDIM(labels) != 1 || PyArray_DIM(labels, 0) != samples.count) throw_shape("y", shape_text({samples.count}), labels);
        samples.labels = static_cast<const std::int64_t*>(PyArray_DATA(labels));
        for (Index i = 0; i < samples.count; ++i)
            if (samples.labels[i] < 0 || samples.labels[i] >= network.stages.back().n_neurons)
                throw std::invalid_argument("y: label " + std::to_string(samples.labels[i]) + " at index " + std::to_string(i) + ": expected 0 to " +
                                            std::to_string(network.stages.back().n_neurons - 1));
    } else {
        samples.targets_double = float_matrix(y.ptr(), "y", samples.count, network.stages.back().n_neurons, &samples.targets);
    }
    const py::object weights = item[2];
    if (!weights.is_none()) {
        const Array<const double> array = any_array<double>(weights.ptr(), "sample_weight");
        if (PyArray_NDIM(array.object) != 1 || array.dim(0) != samples.count) throw_shape("sample_weight", shape_text({samples.count}), array.object);
        samples.weights = array.data;
    }
    return samples;
}

template <class T> T* parameter(const py::handle& object, const char* name, Index rows, Index columns) {
    if (object.is_none()) return nullptr;
    const Array<T> array = writable<T>(object.ptr(), name);
    if (PyArray_NDIM(array.object) != 2 || array.rows() != rows || array.columns() != columns) throw_shape(name, shape_text({rows, columns}), array.object);
    return array.data;
}

// Per stage (weights, biases, weight_momentums, bias_momentums, weight_cache, bias_cache), None where the rule has none.
template <class T> std::vector<StageArrays<T>> arrays_of(const py::sequence& items, const model::Network& network) {
    if (py::len(items) != network.stages.size()) throw std::invalid_argument("arrays: expected one tuple per stage");
    std::vector<StageArrays<T>> result;
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const py::tuple item = py::object(items[s]).cast<py::tuple>();
        const Index d = network.stages[s].n_inputs, m = network.stages[s].n_neurons;
        StageArrays<T> arrays = {parameter<T>(item[0], "weights", d, m),          parameter<T>(item[1], "biases", 1, m),
                                 parameter<T>(item[2], "weight_momentums", d, m), parameter<T>(item[3], "bias_momentums", 1, m),
                                 parameter<T>(item[4], "weight_cache", d, m),     parameter<T>(item[5], "bias_cache", 1, m)};
        const bool complete = arrays.weights && arrays.biases && (!model::uses_momentums(network.rule) || (arrays.weight_momentums && arrays.bias_momentums)) &&
                              (!model::uses_cache(network.rule) || (arrays.weight_cache && arrays.bias_cache));
        if (!complete) throw std::invalid_argument("arrays: the optimizer's arrays are missing");
        result.push_back(arrays);
    }
    return result;
}

// One Python class over both dtypes. Keeps references to the samples while it lives.
class PyTraining {
  public:
    PyTraining(const py::dict& spec, const py::object& samples, const py::object& validation, std::int64_t epochs, bool stop_on_nonfinite)
        : network_(network_of(spec)), samples_(samples), validation_(validation), is_double_(spec["dtype"].cast<std::string>() == "float64") {
        const model::EngineKind engine = model::engine_kind(spec["engine"].cast<std::string>());
        const model::Nonfinite nonfinite = stop_on_nonfinite ? model::Nonfinite::stop : model::Nonfinite::ignore;
        const model::Samples data = samples_of(samples, network_), held_out = samples_of(validation, network_);
        if (is_double_) training_ = std::make_unique<model::Training<double>>(network_, engine, data, held_out, epochs, nonfinite);
        else training_ = std::make_unique<model::Training<float>>(network_, engine, data, held_out, epochs, nonfinite);
    }

    std::int64_t run(std::int64_t max_steps, double seconds, const py::object& order) {
        const std::int64_t* places = nullptr;
        if (!order.is_none()) {
            PyArrayObject* const array = check_array(order.ptr(), NPY_INT64, "order");
            const Index count = static_cast<Index>(py::len(py::object(samples_.cast<py::tuple>()[0])));
            if (PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != count) throw_shape("order", shape_text({count}), array);
            places = static_cast<const std::int64_t*>(PyArray_DATA(array));
            for (Index i = 0; i < count; ++i)
                if (places[i] < 0 || places[i] >= count) throw std::invalid_argument("order: expected places of samples");
        }
        const py::gil_scoped_release unlocked;
        return training_->run(max_steps, seconds, places);
    }

    void load(const py::sequence& arrays) {
        if (is_double_) static_cast<model::Training<double>&>(*training_).load(arrays_of<double>(arrays, network_));
        else static_cast<model::Training<float>&>(*training_).load(arrays_of<float>(arrays, network_));
    }
    void store(const py::sequence& arrays) const {
        if (is_double_) static_cast<model::Training<double>&>(*training_).store(arrays_of<double>(arrays, network_));
        else static_cast<model::Training<float>&>(*training_).store(arrays_of<float>(arrays, network_));
    }

    void set_schedule(double learning_rate, double decay, std::int64_t iterations, double momentum, double epsilon, double rho, double beta_1,
                      double beta_2, double weight_decay, double clip_norm) {
        if (training_->epochs().count > 0) throw std::logic_error("set_schedule: expected take_epochs before it");
        model::Schedule schedule = {};
        schedule.learning_rate = learning_rate;
        schedule.decay = decay;
        schedule.iterations = iterations;
        schedule.weight_decay = weight_decay;
        schedule.clip_norm = clip_norm;
        schedule.rule.momentum = momentum;
        schedule.rule.epsilon = epsilon;
        schedule.rule.rho = rho;
        schedule.rule.beta_1 = beta_1;
        schedule.rule.beta_2 = beta_2;
        training_->schedule = schedule;
    }

    py::tuple step_record() const {
        const model::StepRow row = training_->last_step();
        return py::make_tuple(row.accuracy, row.data_loss, row.regularization_loss, row.rate);
    }

    // (count, (loss, data_loss, regularization_loss, accuracy, rate, seconds, validation_loss, validation_accuracy)).
    py::tuple take_epochs() {
        const model::Epochs& epochs = training_->epochs();
        const std::size_t count = epochs.count;
        const auto column = [count](const std::vector<double>& values, double otherwise) -> py::object {
            if (values.empty()) return py::float_(otherwise);
            NewArray<double> array({static_cast<Index>(count)});
            std::memcpy(array.data(), values.data(), count * sizeof(double));
            return py::reinterpret_steal<py::object>(array.release());
        };
        const py::object data_loss = column(epochs.data_loss, NAN);
        py::object loss = data_loss;
        if (!epochs.regularization_loss.empty()) {
            std::vector<double> sums(count);
            for (std::size_t i = 0; i < count; ++i) sums[i] = epochs.data_loss[i] + epochs.regularization_loss[i];
            loss = column(sums, NAN);
        }
        py::tuple columns = py::make_tuple(loss, data_loss, column(epochs.regularization_loss, 0), column(epochs.accuracy, NAN),
                                           column(epochs.rate, training_->last_step().rate), column(epochs.seconds, NAN),
                                           column(epochs.validation_loss, NAN), column(epochs.validation_accuracy, NAN));
        training_->forget_epochs();
        return py::make_tuple(count, std::move(columns));
    }

    model::TrainingBase& training() const { return *training_; }

  private:
    model::Network network_;
    py::object samples_, validation_;
    bool is_double_;
    std::unique_ptr<model::TrainingBase> training_;
};

std::string engine_for(const py::dict& spec) {
    const model::EngineKind forced = model::engine_kind(spec["engine"].cast<std::string>());
    if (forced != model::EngineKind::automatic) return model::engine_name(forced);
    const bool is_double = spec["dtype"].cast<std::string>() == "float64";
    return model::engine_name(model::choose_engine(network_of(spec), is_double ? lanes<double> : lanes<float>));
}

}  // namespace

void bind_training(py::module_& module) {
    py::class_<PyTraining>(module, "Training", "A compiled training plan; `chainrule.training` builds the specification.")
        .def(py::init<const py::dict&, const py::object&, const py::object&, std::int64_t, bool>(), py::arg("spec"), py::arg("samples"),
             py::arg("validation"), py::arg("epochs"), py::arg("stop_on_nonfinite"))
        .def("run", &PyTraining::run, py::arg("max_steps"), py::arg("seconds"), py::arg("order"),
             "Run whole steps until max_steps are done or the seconds have gone by; return their number.")
        .def("load", &PyTraining::load, py::arg("arrays"), "Read parameters and optimizer arrays.")
        .def("store", &PyTraining::store, py::arg("arrays"), "Write parameters and optimizer arrays, in place.")
        .def("set_schedule", &PyTraining::set_schedule, py::kw_only(), py::arg("learning_rate"), py::arg("decay"), py::arg("iterations"),
             py::arg("momentum"), py::arg("epsilon"), py::arg("rho"), py::arg("beta_1"), py::arg("beta_2"), py::arg("weight_decay"), py::arg("clip_norm"))
        .def("step_record", &PyTraining::step_record, "Accuracy, data loss, regularisation loss and rate of the last step.")
        .def("take_epochs", &PyTraining::take_epochs, "Number of the epochs finished since the last call, and eight columns: an array, or one number that holds for all.")
        .def("stop", [](PyTraining& self) { self.training().stop(); })
        .def_property_readonly("done", [](const PyTraining& self) { return self.training().done(); })
        .def_property_readonly("epoch", [](const PyTraining& self) { return self.training().epoch(); })
        .def_property_readonly("step", [](const PyTraining& self) { return self.training().step(); })
        .def_property_readonly("iterations", [](const PyTraining& self) { return self.training().schedule.iterations; })
        .def_property_readonly("nonfinite", [](const PyTraining& self) { return self.training().nonfinite(); })
        .def_property_readonly("bytes", [](const PyTraining& self) { return self.training().bytes(); });
    module.def("engine_for", &engine_for, py::arg("spec"), "Name of the engine that a plan of these shapes uses.");
}

}  // namespace chainrule::bindings
