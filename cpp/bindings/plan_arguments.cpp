#include "bindings/plan_arguments.hpp"

#include <algorithm>
#include <iterator>

#include "bindings/targets.hpp"

namespace chainrule::bindings {
namespace {

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

// Any C-contiguous matrix of floats or whole numbers; the engine converts while it gathers.
Number number_matrix(PyObject* object, const char* name, Index rows, Index columns, bool may_be_flat, const void** data) {
    if (!PyArray_CheckExact(object)) throw_conversion(name);
    PyArrayObject* const array = reinterpret_cast<PyArrayObject*>(object);
    Number number;
    if (!PyArray_ISCARRAY_RO(array) || !number_of_array(array, number)) throw_conversion(name);
    const bool flat = may_be_flat && columns == 1 && PyArray_NDIM(array) == 1 && PyArray_DIM(array, 0) == rows;
    if (!flat && (PyArray_NDIM(array) != 2 || PyArray_DIM(array, 0) != rows || PyArray_DIM(array, 1) != columns)) throw_shape(name, shape_text({rows, columns}), array);
    *data = PyArray_DATA(array);
    return number;
}

void check_targets(const model::Samples& samples, const model::Network& network, const char* name) {
    const Domain domain = network.loss_entry().domain;
    if (samples.target_numbers == Number::float32) check_domain(static_cast<const float*>(samples.targets), samples.count, network.n_targets(), domain, name);
    if (samples.target_numbers == Number::float64) check_domain(static_cast<const double*>(samples.targets), samples.count, network.n_targets(), domain, name);
}

}  // namespace

Description description_of(const py::object& object) {
    Fields fields(object, 17, "network");
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
    network.noted = fields.next_as<bool>();
    network.observed = fields.next_as<bool>();
    model::check(network);
    return result;
}

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

std::vector<model::Monitor> monitors_of(const py::object& object) {
    static const char* const values[] = {"loss", "data_loss", "regularization_loss", "accuracy", "validation_loss", "validation_accuracy"};
    std::vector<model::Monitor> monitors;
    for (const py::handle each : object.cast<py::tuple>()) {
        Fields fields(each, 9, "monitor");
        model::Monitor monitor;
        const std::string value = fields.next_as<std::string>();
        const auto* const found = std::find(std::begin(values), std::end(values), value);
        if (found == std::end(values)) throw std::invalid_argument("monitor: expected a column of losses or accuracies, got '" + value + "'");
        monitor.value = static_cast<model::Monitored>(found - values);
        monitor.upwards = fields.next_as<bool>();
        monitor.ties = fields.next_as<bool>();
        monitor.keeps = fields.next_as<bool>();
        monitor.min_delta = fields.next_as<double>();
        monitor.patience = fields.next_as<std::int64_t>();
        monitor.factor = fields.next_as<double>();
        monitor.least = fields.next_as<double>();
        monitor.cooldown = fields.next_as<std::int64_t>();
        monitors.push_back(monitor);
    }
    if (std::count_if(monitors.begin(), monitors.end(), [](const model::Monitor& each) { return each.keeps; }) > 1)
        throw std::invalid_argument("monitors: expected at most one that keeps parameters");
    return monitors;
}

model::Samples samples_of(PyObject* X, PyObject* y, PyObject* weights, const model::Network& network) {
    model::Samples samples;
    if (!PyArray_CheckExact(X) || PyArray_NDIM(reinterpret_cast<PyArrayObject*>(X)) < 1) throw_conversion("X");
    samples.count = PyArray_DIM(reinterpret_cast<PyArrayObject*>(X), 0);
    samples.input_numbers = number_matrix(X, "X", samples.count, network.n_inputs(), false, &samples.inputs);
    if (network.labels) {
        samples.labels = check_labels(y, "y", samples.count, network.n_outputs());
    } else {
        samples.target_numbers = number_matrix(y, "y", samples.count, network.n_targets(), true, &samples.targets);
        if (!is_float(samples.target_numbers)) throw_conversion("y");
        check_targets(samples, network, "y");
    }
    if (weights != Py_None) {
        const Array<const double> array = any_array<double>(weights, "sample_weight");
        if (PyArray_NDIM(array.object) != 1 || array.dim(0) != samples.count) throw_shape("sample_weight", shape_text({samples.count}), array.object);
        samples.weights = array.data;
    }
    return samples;
}

}  // namespace chainrule::bindings
