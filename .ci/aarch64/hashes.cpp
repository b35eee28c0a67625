// Prints a hash of the results of every kernel and of whole trainings, one line each; activations, losses and rules are those
// of the catalogue.
//
// Built for two CPUs from the same sources, it prints the same lines where the numerics rules hold. The data come
// from integer arithmetic and exact divisions, so that they are the same everywhere.

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "model/dense.hpp"
#include "model/elementwise.hpp"
#include "model/embedding.hpp"
#include "model/parametric.hpp"
#include "model/periodic.hpp"
#include "model/plan.hpp"
#include "runtime/team.hpp"

using namespace chainrule;

namespace {

template <class T> using Values = std::vector<T>;
using Numbers = std::vector<double>;
using Labels = std::vector<std::int64_t>;

const Catalogue& parts() { return model::catalogue(); }

template <class T> Values<T> data(Index count, std::uint64_t stream, double scale = 4) {
    Values<T> values(static_cast<std::size_t>(count));
    std::uint64_t index = stream << 32;
    for (T& value : values) {
        std::uint64_t word = index++ * 6364136223846793005u + 1442695040888963407u;
        word = (word ^ (word >> 29)) * 0xBF58476D1CE4E5B9u;
        value = static_cast<T>(scale * (static_cast<double>(word >> 40) / 8388608.0 - 1));
    }
    return values;
}

// FNV-1a over the bytes of arrays.
class Hash {
  public:
    template <class T> void add(const Values<T>& array) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(array.data());
        for (std::size_t i = 0; i < array.size() * sizeof(T); ++i) value_ = (value_ ^ bytes[i]) * 1099511628211u;
    }
    void print(const std::string& name) const { std::printf("%016" PRIx64 " %s\n", value_, name.c_str()); }

  private:
    std::uint64_t value_ = 14695981039346656037u;
};

template <class... Arrays> void print(const std::string& name, const Arrays&... arrays) {
    Hash hash;
    (hash.add(arrays), ...);
    hash.print(name);
}

template <class T> std::string dtype() { return sizeof(T) == 4 ? " float32" : " float64"; }
std::string shape(Index a, Index b) { return " " + std::to_string(a) + "x" + std::to_string(b); }

// Numbers for the parameters of an activation or a loss: allowed wherever a number is.
Numbers numbers_for(const Names& names, bool per_output = false, Index outputs = 0) {
    Numbers numbers;
    if (!per_output)
        for (int i = 0; i < names.count; ++i) numbers.push_back(0.25 * (i + 1));
    else
        for (Index j = 0; j < outputs; ++j) numbers.push_back(static_cast<double>(j + 1) / static_cast<double>(outputs + 1));
    return numbers;
}

Numbers settings_of(const RuleEntry& rule) {
    Numbers settings;
    for (int i = 0; i < rule.parameters.count; ++i) {
        const std::string name = rule.parameters.name[i];
        settings.push_back(name == "epsilon" ? 1e-7 : name == "epsilon_hat" ? 0 : name == "beta_2" ? 0.999 : 0.9);
    }
    return settings;
}

// Targets that a loss takes.
template <class T> Values<T> targets_for(Domain domain, Values<T> values) {
    for (T& value : values) {
        if (domain == Domain::signs) value = value > 0 ? T(1) : T(-1);
        else if (domain != Domain::real) value = value > 0 ? value / 4 : -value / 8;
    }
    return values;
}
Labels labels_for(Index count, Index classes) {
    Labels labels(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i * i) % classes;
    return labels;
}

// --- kernels ------------------------------------------------------------------------------------------------------------

template <class T> void dense(Index n, Index d, Index m) {
    const Values<T> inputs = data<T>(n * d, 1), weights = data<T>(d * m, 2), biases = data<T>(m, 3), dvalues = data<T>(n * m, 4);
    Values<T> output(dvalues), dweights(weights), dbiases(biases), dinputs(inputs);
    model::dense_forward<T>({n, d, m}, inputs.data(), weights.data(), biases.data(), output.data());
    model::dense_backward<T>({n, d, m}, inputs.data(), dvalues.data(), weights.data(), dweights.data(), dbiases.data(), dinputs.data());
    print("dense " + std::to_string(n) + shape(d, m) + dtype<T>(), output, dweights, dbiases, dinputs);
}

template <class T> void activations(Index n, Index m) {
    for (int kind = 0; kind < parts().activations.count; ++kind) {
        const ActivationEntry& entry = parts().activations[kind];
        const Values<T> inputs = data<T>(n * m, 5, entry.by_rows ? 4 : 30), dvalues = data<T>(n * m, 6);
        const Numbers numbers = numbers_for(entry.parameters);
        const model::ActivationShape job = {static_cast<Activation>(kind), numbers.data(), n, m};
        Values<T> output(inputs), dinputs(inputs);
        model::activation_forward(job, inputs.data(), output.data());
        model::activation_backward(job, dvalues.data(), entry.needs_inputs ? inputs.data() : output.data(), dinputs.data());
        print(entry.name + shape(n, m) + dtype<T>(), output, dinputs);
    }
}

template <class T> void elementwise(Index n) {
    const Values<T> inputs = data<T>(n, 5, 30);
    Values<T> output(inputs), mask(inputs);
    const std::string size = " " + std::to_string(n) + dtype<T>();
    model::dropout_forward(n, 0.7, (std::uint64_t(1) << 60) + 3, (std::uint64_t(1) << 40) + 1, 0, inputs.data(), output.data(), mask.data());
    print("dropout" + size, output, mask);
    model::regularize(n, 0.01, 0.02, inputs.data(), output.data());
    print("regularize" + size, output);
    print("sum" + size, Numbers{model::sum(n, inputs.data())});
}

template <class T> void periodic(Index n, Index p, Index q, Index k, Index m) {
    const model::PeriodicShape job = {n, p, k, m, q};
    const Values<T> inputs = data<T>(n * job.n_inputs(), 14), dvalues = data<T>(n * job.n_outputs(), 15);
    const Values<T> frequencies = data<T>(p * k, 16), phases = data<T>(p * k, 17), weights = data<T>(p * k * m, 18), biases = data<T>(p * m, 19);
    Values<T> output(dvalues), dfrequencies(frequencies), dphases(phases), dweights(weights), dbiases(biases), dinputs(inputs);
    model::periodic_forward(job, inputs.data(), frequencies.data(), phases.data(), weights.data(), biases.data(), output.data());
    model::periodic_backward<T>(job, inputs.data(), dvalues.data(), frequencies.data(), phases.data(), weights.data(),
                                {dfrequencies.data(), dphases.data(), dweights.data(), dbiases.data(), dinputs.data()});
    print("periodic " + std::to_string(n) + shape(p, k) + dtype<T>(), output, dfrequencies, dphases, dweights, dbiases, dinputs);
}

template <class T> void embedding(Index n) {
    const model::EmbeddingShape job = {n, 2, 8, {1, 7, 40}};
    Values<T> inputs = data<T>(n * job.n_inputs(), 20);
    for (Index i = 0; i < n; ++i)
        for (Index c = 0; c < job.n_codes(); ++c) {
            const std::size_t k = static_cast<std::size_t>(c);
            inputs[static_cast<std::size_t>(i * job.n_inputs() + job.n_passed + c)] = static_cast<T>((3 * i + c) * 104729 % 1000003 % job.sizes[k]);
        }
    const Values<T> weights = data<T>(job.n_levels() * job.width, 21), dvalues = data<T>(n * job.n_outputs(), 22);
    Values<T> output(dvalues), dweights(weights), dinputs(inputs);
    model::embedding_forward(job, inputs.data(), weights.data(), output.data());
    model::embedding_backward(job, inputs.data(), dvalues.data(), dweights.data(), dinputs.data());
    print("embedding " + std::to_string(n) + dtype<T>(), output, dweights, dinputs);
}

template <class T> void parametric(Index n, Index m) {
    const Values<T> inputs = data<T>(n * m, 23), activated = data<T>(n * m, 24), dvalues = data<T>(n * m, 25), through = data<T>(n * m, 26), shares = data<T>(m, 27);
    Values<T> output(inputs), dshares(shares), dinputs(inputs);
    model::parametric_forward(n, m, inputs.data(), activated.data(), shares.data(), output.data());
    model::parametric_backward(n, m, dvalues.data(), through.data(), inputs.data(), activated.data(), shares.data(), dshares.data(), dinputs.data());
    print("parametric" + shape(n, m) + dtype<T>(), output, dshares, dinputs);
}

template <class T> void updates(Index n) {
    for (int rule = 0; rule < parts().rules.count; ++rule) {
        const RuleEntry& entry = parts().rules[rule];
        Values<T> parameter = data<T>(n, 8), states[most_states];
        const Values<T> gradient = data<T>(n, 9);
        UpdateJob<T> job = {};
        job.rule.rule = static_cast<Rule>(rule);
        job.rule.decay = 0.001;
        job.n = n;
        job.gradient = gradient.data();
        job.parameter = parameter.data();
        for (int i = 0; i < entry.states.count; ++i) {
            states[i] = data<T>(n, 10 + static_cast<std::uint64_t>(i));
            if (entry.states.name[i] != std::string("momentums"))
                for (T& value : states[i]) value *= value;
            job.states[i] = states[i].data();
        }
        entry.prepare(settings_of(entry).data(), 0.1, 3, job.rule.constants);
        model::update<T>(job);
        Hash hash;
        hash.add(parameter);
        for (const Values<T>& state : states) hash.add(state);
        hash.print("update " + std::string(entry.name) + " " + std::to_string(n) + dtype<T>());
    }
}

template <class T> void losses(Index n, Index m) {
    const Labels labels = labels_for(n, m);
    for (int kind = 0; kind < parts().losses.count; ++kind) {
        const LossEntry& entry = parts().losses[kind];
        const Numbers numbers = numbers_for(entry.parameters, entry.parameter_per_output, m);
        const Index columns = entry.one_target ? 1 : m;
        const Values<T> targets = targets_for(entry.domain, data<T>(n * columns, 13));
        for (const bool labelled : {false, true}) {
            if (labelled && !entry.labels) continue;
            Values<T> output = data<T>(n * m, 12), dvalues(output), sample_losses(static_cast<std::size_t>(n));
            if (entry.joins < 0) output = targets_for(Domain::unit_interval, output);
            model::LossArrays<T> job = {};
            job.loss = static_cast<Loss>(kind);
            job.parameters = numbers.data();
            job.rows = n;
            job.columns = m;
            job.target_columns = columns;
            job.output = output.data();
            job.targets = labelled ? nullptr : targets.data();
            job.labels = labelled ? labels.data() : nullptr;
            job.sample_losses = sample_losses.data();
            job.dvalues = dvalues.data();
            model::loss<T>(job);
            print(std::string(entry.name) + (labelled ? " labels" : " targets") + shape(n, m) + dtype<T>(), output, sample_losses, dvalues);
        }
    }
}

// --- trainings ----------------------------------------------------------------------------------------------------------

// A parameter with the arrays that a rule keeps beside it.
template <class T> class Arrays {
  public:
    Arrays(Index count, int states, std::uint64_t stream, double scale) : held_{data<T>(count, stream, scale)} {
        for (int i = 0; i < states; ++i) held_.emplace_back(static_cast<std::size_t>(count));
    }
    model::ParameterArrays<T> pointers() {
        model::ParameterArrays<T> result;
        result.values = held_[0].data();
        for (std::size_t i = 1; i < held_.size(); ++i) result.states[i - 1] = held_[i].data();
        return result;
    }
    void add_to(Hash& hash) const {
        for (const Values<T>& each : held_) hash.add(each);
    }

  private:
    std::vector<Values<T>> held_;
};

constexpr Index classes = 7;

// 13 steps on a net d - hidden - 7 with dropout and penalties; the last batch is a short one.
template <class T> void train(const std::string& name, const model::Network& network, model::EngineKind engine) {
    const Index d = network.n_inputs(), hidden = network.stages[0].n_neurons, count = 4 * network.batch_size + network.batch_size / 2;
    const Values<T> inputs = data<T>(count * d, 14), targets = targets_for(network.loss_entry().domain, data<T>(count * network.n_targets(), 15));
    const Labels labels = labels_for(count, classes);
    model::Samples samples;
    samples.count = count;
    samples.inputs = inputs.data();
    samples.targets = targets.data();
    samples.input_numbers = samples.target_numbers = number_of<T>;
    if (network.labels) samples.labels = labels.data();
    model::Plan<T> plan(network, engine);
    plan.begin({samples, {}, 3, model::Nonfinite::ignore, false});
    model::Counts counts;
    counts.streams.resize(3);
    counts.streams[1].key = 17;
    counts.stages.resize(2);
    plan.set_counts(counts);
    const RuleEntry& rule = network.rule_entry();
    std::vector<Arrays<T>> memory;
    for (const Index size : {d * hidden, hidden, hidden * classes, classes, d}) memory.emplace_back(size, rule.states.count, 20 + memory.size(), 0.1);
    model::NetworkArrays<T> arrays;
    for (std::size_t s = 0; s < 2; ++s) {
        arrays.stages.push_back({memory[2 * s].pointers(), {}});
        if (network.stages[s].biases.present) arrays.stages[s].biases = memory[2 * s + 1].pointers();
    }
    if (network.scales()) arrays.scale = memory[4].pointers();
    plan.load(arrays);
    plan.schedule.parameters = settings_of(rule);
    plan.schedule.learning_rate = 0.01;
    plan.schedule.weight_decay = 0.1;
    plan.schedule.clip_norm = 0.5;
    while (!plan.done()) plan.run(13, 1e9, nullptr, {});
    plan.store(arrays);
    Hash hash;
    for (const Arrays<T>& each : memory) each.add_to(hash);
    hash.print("training " + name + ", " + model::engine_name(engine) + shape(d, hidden) + dtype<T>());
}

model::Network network_of(Index d, Index hidden, Index batch) {
    model::Network network;
    network.stages.resize(2);
    model::Stage &first = network.stages[0], &last = network.stages[1];
    first.n_inputs = d;
    first.n_neurons = last.n_inputs = hidden;
    last.n_neurons = classes;
    first.activation = model::part_named<Activation>(parts().activations, "activation", "tanh");
    first.dropout = {0.8};
    first.weights.l1 = 1e-4;
    first.weights.l2 = last.weights.l2 = 1e-3;
    first.biases.decay_factor = last.biases.decay_factor = 0;
    network.loss = model::part_named<Loss>(parts().losses, "loss", "softmax_crossentropy");
    network.loss_parameters = {0};
    last.activation = static_cast<Activation>(network.loss_entry().joins);
    network.metric = model::part_named<Metric>(parts().metrics, "metric", "categorical");
    network.batch_size = batch;
    network.labels = true;
    network.rule = model::part_named<Rule>(parts().rules, "rule", "adam");
    return network;
}

// Each rule, each activation in the middle, each loss: without biases, clipped, behind factors of the columns.
template <class T> void trainings(model::EngineKind engine, Index d, Index hidden, Index batch) {
    for (int rule = 0; rule < parts().rules.count; ++rule) {
        model::Network network = network_of(d, hidden, batch);
        network.rule = static_cast<Rule>(rule);
        train<T>(parts().rules[rule].name, network, engine);
    }
    for (int kind = 0; kind < parts().activations.count; ++kind) {
        model::Network network = network_of(d, hidden, batch);
        network.stages[0].activation = static_cast<Activation>(kind);
        network.stages[0].activation_parameters = numbers_for(parts().activations[kind].parameters);
        network.stages[0].biases = {false, false};
        train<T>(parts().activations[kind].name, network, engine);
    }
    for (int kind = 0; kind < parts().losses.count; ++kind) {
        const LossEntry& loss = parts().losses[kind];
        model::Network network = network_of(d, hidden, batch);
        network.loss = static_cast<Loss>(kind);
        network.loss_parameters = numbers_for(loss.parameters, loss.parameter_per_output, classes);
        const Activation share = model::part_named<Activation>(parts().activations, "activation", "sigmoid");
        network.stages[1].activation = loss.joins < 0 ? share : static_cast<Activation>(loss.joins);
        network.labels = loss.labels;
        network.metric = Metric::none;
        network.keeps_gradients = true;
        network.scale.present = network.scale.learns = true;
        train<T>(loss.name, network, engine);
    }
}

template <class T> void all() {
    for (const Index n : {1, 5, 33, 67}) dense<T>(n, 2 * n - 1, n + 16);
    dense<T>(130, 257, 33);
    dense<T>(303, 70, 129);
    for (const Index n : {1, 15, 67, 10007}) {
        activations<T>(n, n < 100 ? n + 1 : 1);
        elementwise<T>(n);
        updates<T>(n);
        embedding<T>(n);
    }
    periodic<T>(1, 1, 0, 1, 1);
    periodic<T>(37, 17, 3, 16, 3);
    periodic<T>(901, 3, 1, 5, 2);
    parametric<T>(5, 3);
    parametric<T>(2003, 130);
    losses<T>(1, 1);
    losses<T>(33, 10);
    losses<T>(67, 65);
    runtime::set_num_threads(1);
    trainings<T>(model::EngineKind::nano, 3, 11, 37);
    trainings<T>(model::EngineKind::panels, 67, 70, 50);
    runtime::set_num_threads(2);
    trainings<T>(model::EngineKind::panels, 20, 33, 21);
}

}  // namespace

int main() {
    all<float>();
    all<double>();
}
