// Plan: the compiled plan behind Model.train. Python owns every array and hands it over for the length of a call.
//
// The network comes as the tuples of training/network.py, read here field by field in their order.
#include <pybind11/stl.h>

#include <cmath>
#include <cstring>
#include <memory>

#include "bindings/bindings.hpp"
#include "bindings/targets.hpp"
#include "model/plan.hpp"

namespace chainrule::bindings {
namespace {

using model::NetworkArrays;
using model::ParameterArrays;
using model::StageArrays;

// A tuple's fields, taken one after the other.
class Fields {
  public:
    Fields(const py::handle& object, std::size_t count, const char* name) : name_(name) {
        if (!py::isinstance<py::tuple>(object) || py::len(object) != count)
            throw py::type_error(std::string(name) + ": expected a tuple of " + std::to_string(count) + " fields");
        tuple_ = py::reinterpret_borrow<py::tuple>(object);
    }
    py::object next() { return tuple_[place_++]; }
    template <class T> T next_as() {
        try {
            return next().cast<T>();
        } catch (const py::cast_error&) {
            throw py::type_error(std::string(name_) + ": field " + std::to_string(place_) + " is of the wrong type");
        }
    }

  private:
    const char* name_;
    py::tuple tuple_;
    std::size_t place_ = 0;
};

model::Dropout dropout_of(const py::object& object) {
    if (object.is_none()) return {};
    Fields fields(object, 1, "dropout");
    model::Dropout dropout;
    dropout.keep = fields.next_as<double>();
    if (!(dropout.keep > 0 && dropout.keep <= 1)) throw std::invalid_argument("dropout: keep: expected a number in (0, 1]");
    return dropout;
}

model::Parameter parameter_of(const py::object& object) {
    model::Parameter parameter;
    parameter.present = !object.is_none();
    if (!parameter.present) {
        parameter.learns = false;
        return parameter;
    }
    Fields fields(object, 6, "parameter");
    parameter.learns = fields.next_as<bool>();
    parameter.l1 = fields.next_as<double>();
    parameter.l2 = fields.next_as<double>();
    parameter.rate_factor = fields.next_as<double>();
    parameter.decay_factor = fields.next_as<double>();
    parameter.epsilon_factor = fields.next_as<double>();
    return parameter;
}

model::Stage stage_of(const py::handle& object) {
    Fields fields(object, 7, "stage");
    model::Stage stage;
    stage.n_inputs = fields.next_as<Index>();
    stage.n_neurons = fields.next_as<Index>();
    stage.activation = model::part_named<Activation>(model::catalogue().activations, "activation", fields.next_as<std::string>());
    stage.activation_parameters = fields.next_as<std::vector<double>>();
    stage.dropout = dropout_of(fields.next());
    stage.weights = parameter_of(fields.next());
    stage.biases = parameter_of(fields.next());
    return stage;
}

// A network, and what else stands in its description.
struct Description {
    model::Network network;
    bool is_double;
    model::EngineKind engine;
};

Description description_of(const py::object& object) {
    Fields fields(object, 15, "network");
    Description result;
    model::Network& network = result.network;
    const std::string dtype = fields.next_as<std::string>();
    if (dtype != "float32" && dtype != "float64") throw std::invalid_argument("dtype: expected 'float32' or 'float64', got '" + dtype + "'");
    result.is_double = dtype == "float64";
    for (const py::handle stage : fields.next_as<py::tuple>()) network.stages.push_back(stage_of(stage));
    network.scale = parameter_of(fields.next());
    network.input_dropout = dropout_of(fields.next());
    network.loss = model::part_named<Loss>(model::catalogue().losses, "loss", fields.next_as<std::string>());
    network.loss_parameters = fields.next_as<std::vector<double>>();
    network.metric = model::part_named<Metric>(model::catalogue().metrics, "metric", fields.next_as<std::string>());
    network.batch_size = fields.next_as<Index>();
    network.labels = fields.next_as<bool>();
    network.rule = model::part_named<Rule>(model::catalogue().rules, "rule", fields.next_as<std::string>());
    network.keeps_gradients = fields.next_as<bool>();
    network.accumulate = fields.next_as<Index>();
    network.loss_factor = fields.next_as<double>();
    network.batch_objective = fields.next_as<bool>();
    result.engine = model::engine_kind(fields.next_as<std::string>());
    model::check(network);
    return result;
}

// Any C-contiguous matrix of floats or whole numbers; the engine converts while it gathers.
Number number_matrix(PyObject* object, const char* name, Index rows, Index columns, const void** data) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    Number number;
    if (!PyArray_ISCARRAY_RO(array) || !number_of_array(array, number)) throw_conversion(name);
    if (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != rows || PyArray_DIM(array, 1) != columns) throw_shape(name, shape_text({rows, columns}), array);
    *data = PyArray_DATA(array);
    return number;
}

void check_targets(const model::Samples& samples, const model::Network& network, const char* name) {
    const Domain domain = network.loss_entry().domain;
    if (samples.target_numbers == Number::float32) check_domain(static_cast<const float*>(samples.targets), samples.count, network.n_targets(), domain, name);
    if (samples.target_numbers == Number::float64) check_domain(static_cast<const double*>(samples.targets), samples.count, network.n_targets(), domain, name);
}

// (X, y, sample_weight or None); y is targets (n, m), floats, or int64 labels (n,).
model::Samples samples_of(const py::object& object, const model::Network& network) {
    model::Samples samples;
    if (object.is_none()) return samples;
    Fields fields(object, 3, "samples");
    const py::object X = fields.next(), y = fields.next(), weights = fields.next();
    samples.count = static_cast<Index>(py::len(X));
    samples.input_numbers = number_matrix(X.ptr(), "X", samples.count, network.n_inputs(), &samples.inputs);
    if (network.labels) {
        samples.labels = check_labels(y.ptr(), "y", samples.count, network.n_outputs());
    } else {
        samples.target_numbers = number_matrix(y.ptr(), "y", samples.count, network.n_targets(), &samples.targets);
        if (!is_float(samples.target_numbers)) throw_conversion("y");
        check_targets(samples, network, "y");
    }
    if (!weights.is_none()) {
        const Array<const double> array = any_array<double>(weights.ptr(), "sample_weight");
        if (PyArray_NDIM(array.object) != 1 || array.dim(0) != samples.count) throw_shape("sample_weight", shape_text({samples.count}), array.object);
        samples.weights = array.data;
    }
    return samples;
}

template <class T> T* array_of(const py::handle& object, const char* name, Index rows, Index columns) {
    const Array<T> array = writable<T>(object.ptr(), name);
    if (PyArray_NDIM(array.object) != 2 || array.rows() != rows || array.columns() != columns) throw_shape(name, shape_text({rows, columns}), array.object);
    return array.data;
}

// (values, *states of the rule); a parameter that does not learn has no states, one that is not present is None.
template <class T> ParameterArrays<T> parameter_arrays(const py::object& object, const model::Network& network, const model::Parameter& parameter, Index rows, Index columns) {
    ParameterArrays<T> arrays;
    if (object.is_none() != !parameter.present) throw py::type_error("arrays: expected a tuple for each parameter that is present");
    if (!parameter.present) return arrays;
    const Names& states = network.rule_entry().states;
    const int count = parameter.learns ? states.count : 0;
    Fields fields(object, static_cast<std::size_t>(1 + count), "arrays");
    arrays.values = array_of<T>(fields.next(), "parameter", rows, columns);
    for (int i = 0; i < count; ++i) arrays.states[i] = array_of<T>(fields.next(), states.name[i], rows, columns);
    return arrays;
}

// ((weights, biases) of each stage), scale.
template <class T> NetworkArrays<T> arrays_of(const py::tuple& stages, const py::object& scale, const model::Network& network) {
    if (py::len(stages) != network.stages.size()) throw std::invalid_argument("arrays: expected one pair per stage");
    NetworkArrays<T> arrays;
    for (std::size_t s = 0; s < network.stages.size(); ++s) {
        const model::Stage& stage = network.stages[s];
        Fields pair(stages[s], 2, "arrays");
        const ParameterArrays<T> weights = parameter_arrays<T>(pair.next(), network, stage.weights, stage.n_inputs, stage.n_neurons);
        arrays.stages.push_back({weights, parameter_arrays<T>(pair.next(), network, stage.biases, 1, stage.n_neurons)});
    }
    arrays.scale = parameter_arrays<T>(scale, network, network.scale, 1, network.n_inputs());
    return arrays;
}

// A row of factors of the coming steps, or None.
const double* factors_of(const py::object& object, const char* name, Index columns, Index& steps) {
    if (object.is_none()) return nullptr;
    const Array<const double> array = any_array<double>(object.ptr(), name);
    const bool fits = columns == 1 ? PyArray_NDIM(array.object) == 1 : PyArray_NDIM(array.object) == 2 && array.columns() == columns;
    if (!fits || (steps >= 0 && array.dim(0) != steps)) throw_shape(name, "as many factors as the others", array.object);
    steps = array.dim(0);
    return array.data;
}

// ((key, step) of each stream), steps of the scale, ((steps of weights, of biases) of each stage).
model::Counts counts_of(const py::object& object) {
    Fields fields(object, 3, "counts");
    model::Counts counts;
    for (const py::handle each : fields.next_as<py::tuple>()) {
        Fields stream(each, 2, "stream");
        const std::uint64_t key = stream.next_as<std::uint64_t>();
        counts.streams.push_back({key, stream.next_as<std::uint64_t>()});
    }
    counts.scale = fields.next_as<std::int64_t>();
    for (const py::handle each : fields.next_as<py::tuple>()) {
        Fields steps(each, 2, "steps");
        const std::int64_t weights = steps.next_as<std::int64_t>();
        counts.stages.push_back({weights, steps.next_as<std::int64_t>()});
    }
    return counts;
}

// The places of the gradients in one flat array: the scale's, then each stage's weights and biases; those that learn.
template <class T> NetworkArrays<T> places_in(T* flat, const model::Network& network, Index& count) {
    count = 0;
    const auto place = [&](const model::Parameter& parameter, Index size) {
        ParameterArrays<T> arrays;
        if (!parameter.present || !parameter.learns) return arrays;
        if (flat) arrays.values = flat + count;
        count += size;
        return arrays;
    };
    NetworkArrays<T> arrays;
    arrays.scale = place(network.scale, network.n_inputs());
    for (const model::Stage& stage : network.stages) {
        const ParameterArrays<T> weights = place(stage.weights, stage.n_inputs * stage.n_neurons);
        arrays.stages.push_back({weights, place(stage.biases, stage.n_neurons)});
    }
    return arrays;
}

// One Python class over both dtypes. Keeps references to the samples from `begin` to `end`.
class PyPlan {
  public:
    explicit PyPlan(const py::object& network) : description_(description_of(network)) {
        const auto make = [&](auto number) -> std::unique_ptr<model::PlanBase> {
            return std::make_unique<model::Plan<decltype(number)>>(description_.network, description_.engine);
        };
        plan_ = description_.is_double ? make(double()) : make(float());
    }

    void begin(const py::object& samples, const py::object& validation, std::int64_t epochs, bool stop_on_nonfinite, bool drops_last, double precision) {
        model::Work work;
        work.samples = samples_of(samples, description_.network);
        work.validation = samples_of(validation, description_.network);
        work.epochs = epochs;
        work.nonfinite = stop_on_nonfinite ? model::Nonfinite::stop : model::Nonfinite::ignore;
        work.drops_last = drops_last;
        work.precision = precision;
        if (work.samples.count < (drops_last ? description_.network.batch_size : 1)) throw std::invalid_argument("samples: expected at least one batch");
        plan_->begin(work);
        samples_ = samples;
        validation_ = validation;
        count_ = work.samples.count;
    }

    void end() {
        plan_->begin({});
        plan_->stop();
        samples_ = validation_ = py::none();
        count_ = 0;
    }

    double gradients(const py::object& flat, const py::object& dropped) {
        if (!description_.network.keeps_gradients) throw std::logic_error("gradients: expected a network that keeps them");
        if (count_ < 1 || count_ > description_.network.batch_size) throw std::logic_error("gradients: expected samples of one batch");
        Index factors = static_cast<Index>(description_.network.stages.size() + 1);
        const double* const shares = factors_of(dropped, "dropped", 1, factors);
        return description_.is_double ? gradients_as<double>(flat, shares) : gradients_as<float>(flat, shares);
    }

    std::int64_t run(std::int64_t max_steps, double seconds, const py::object& order, const py::object& factors) {
        const std::int64_t* places = nullptr;
        if (!order.is_none()) {
            PyArrayObject* const array = check_int64(order.ptr(), "order");
            if (PyArray_NDIM(array) != 1 || PyArray_DIM(array, 0) != count_) throw_shape("order", shape_text({count_}), array);
            places = static_cast<const std::int64_t*>(PyArray_DATA(array));
            for (Index i = 0; i < count_; ++i)
                if (places[i] < 0 || places[i] >= count_) throw std::invalid_argument("order: expected places of samples");
        }
        model::Factors found;
        if (!factors.is_none()) {
            Fields fields(factors, 3, "factors");
            Index steps = -1;
            found.rate = factors_of(fields.next(), "rate", 1, steps);
            found.weight_decay = factors_of(fields.next(), "weight_decay", 1, steps);
            found.dropped = factors_of(fields.next(), "dropped", static_cast<Index>(description_.network.stages.size() + 1), steps);
            found.steps = steps < 0 ? 0 : steps;
        }
        const py::gil_scoped_release unlocked;
        return plan_->run(max_steps, seconds, places, found);
    }

    void load(const py::tuple& stages, const py::object& scale) {
        if (description_.is_double) static_cast<model::Plan<double>&>(*plan_).load(arrays_of<double>(stages, scale, description_.network));
        else static_cast<model::Plan<float>&>(*plan_).load(arrays_of<float>(stages, scale, description_.network));
    }
    void store(const py::tuple& stages, const py::object& scale) const {
        if (description_.is_double) static_cast<model::Plan<double>&>(*plan_).store(arrays_of<double>(stages, scale, description_.network));
        else static_cast<model::Plan<float>&>(*plan_).store(arrays_of<float>(stages, scale, description_.network));
    }

    void set_schedule(double learning_rate, double decay, double weight_decay, std::int64_t iterations, double clip_norm, const std::vector<double>& settings) {
        if (plan_->epochs().count > 0) throw std::logic_error("set_schedule: expected take_epochs before it");
        const Names& names = description_.network.rule_entry().parameters;
        if (settings.size() != static_cast<std::size_t>(names.count))
            throw std::invalid_argument("settings: expected " + std::to_string(names.count) + ", got " + std::to_string(settings.size()));
        model::Schedule schedule;
        schedule.learning_rate = learning_rate;
        schedule.decay = decay;
        schedule.weight_decay = weight_decay;
        schedule.iterations = iterations;
        schedule.clip_norm = clip_norm;
        schedule.parameters = settings;
        plan_->schedule = schedule;
    }

    py::tuple step_record() const {
        const model::StepRow row = plan_->last_step();
        return py::make_tuple(row.accuracy, row.data_loss, row.regularization_loss, row.rate);
    }

    // (count, (loss, data_loss, regularization_loss, accuracy, rate, seconds, validation_loss, validation_accuracy)).
    py::tuple take_epochs() {
        const model::Epochs& epochs = plan_->epochs();
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
                                           column(epochs.rate, plan_->last_step().rate), column(epochs.seconds, NAN),
                                           column(epochs.validation_loss, NAN), column(epochs.validation_accuracy, NAN));
        plan_->forget_epochs();
        return py::make_tuple(count, std::move(columns));
    }

    model::PlanBase& plan() const { return *plan_; }

  private:
    template <class T> double gradients_as(const py::object& flat, const double* dropped) {
        Index count;
        places_in<T>(nullptr, description_.network, count);
        const Array<T> array = writable<T>(flat.ptr(), "flat");
        if (PyArray_NDIM(array.object) != 1 || array.size() != count) throw_shape("flat", shape_text({count}), array.object);
        const NetworkArrays<T> places = places_in<T>(array.data, description_.network, count);
        const Unlocked unlocked(model::step_flops(description_.network));
        return static_cast<model::Plan<T>&>(*plan_).gradients(places, dropped);
    }

    Description description_;
    py::object samples_ = py::none(), validation_ = py::none();
    Index count_ = 0;
    std::unique_ptr<model::PlanBase> plan_;
};

std::string engine_for(const py::object& network) {
    const Description description = description_of(network);
    if (description.engine != model::EngineKind::automatic) return model::engine_name(description.engine);
    return model::engine_name(model::choose_engine(description.network, description.is_double ? lanes<double> : lanes<float>));
}

}  // namespace

void bind_plan(py::module_& module) {
    py::class_<PyPlan>(module, "Plan", "A compiled training plan; `chainrule.training.network` describes the network.")
        .def(py::init<const py::object&>(), py::arg("network"))
        .def("begin", &PyPlan::begin, py::arg("samples"), py::arg("validation"), py::arg("epochs"), py::arg("stop_on_nonfinite"), py::arg("drops_last"),
             py::arg("precision"), "Begin a training of other samples in the same memory.")
        .def("end", &PyPlan::end, "Let the samples go.")
        .def("set_counts", [](PyPlan& self, const py::object& counts) { self.plan().set_counts(counts_of(counts)); }, py::arg("counts"),
             "Where the training stands; steps_taken and forwards count from here.")
        .def("gradients", &PyPlan::gradients, py::arg("flat"), py::arg("dropped"),
             "Write the gradients of the first batch, penalties included, into one array; return the loss. `dropped`: factors of the dropped shares, or None.")
        .def("run", &PyPlan::run, py::arg("max_steps"), py::arg("seconds"), py::arg("order"), py::arg("factors"),
             "Run whole steps until max_steps are done, the factors used up or the seconds gone by; return their number.")
        .def("load", &PyPlan::load, py::arg("stages"), py::arg("scale"), "Read parameters and optimizer arrays.")
        .def("store", &PyPlan::store, py::arg("stages"), py::arg("scale"), "Write parameters and optimizer arrays, in place.")
        .def("set_schedule", &PyPlan::set_schedule, py::kw_only(), py::arg("learning_rate"), py::arg("decay"), py::arg("weight_decay"), py::arg("iterations"),
             py::arg("clip_norm"), py::arg("settings"), "What may change between stretches; settings are those of the rule, in the catalogue's order.")
        .def("step_record", &PyPlan::step_record, "Accuracy, data loss, regularisation loss (NaN where it is not known) and rate of the last step.")
        .def("take_epochs", &PyPlan::take_epochs, "Number of the epochs finished since the last call, and eight columns: an array, or one number that holds for all.")
        .def("stop", [](PyPlan& self) { self.plan().stop(); })
        .def_property_readonly("done", [](const PyPlan& self) { return self.plan().done(); })
        .def_property_readonly("epoch", [](const PyPlan& self) { return self.plan().epoch(); })
        .def_property_readonly("step", [](const PyPlan& self) { return self.plan().step(); })
        .def_property_readonly("validating", [](const PyPlan& self) { return self.plan().validating(); })
        .def_property_readonly("steps_taken", [](const PyPlan& self) { return self.plan().steps_taken(); })
        .def_property_readonly("forwards", [](const PyPlan& self) { return self.plan().forwards(); })
        .def_property_readonly("iterations", [](const PyPlan& self) { return self.plan().schedule.iterations; })
        .def_property_readonly("nonfinite", [](const PyPlan& self) { return self.plan().nonfinite(); })
        .def_property_readonly("bytes", [](const PyPlan& self) { return self.plan().bytes(); });
    module.def("engine_for", &engine_for, py::arg("network"), "Name of the engine that a plan of these shapes uses.");
}

}  // namespace chainrule::bindings
