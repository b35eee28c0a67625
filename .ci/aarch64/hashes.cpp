// Prints a hash of the results of every kernel and of whole trainings, one line each.
//
// Built for two CPUs from the same sources, it prints the same lines where the numerics rules hold. The data come
// from integer arithmetic and exact divisions, so that they are the same everywhere.

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "model/dense.hpp"
#include "model/elementwise.hpp"
#include "model/training.hpp"
#include "runtime/team.hpp"

using namespace chainrule;

namespace {

template <class T> using Values = std::vector<T>;

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

// FNV-1a over the bytes.
template <class... Arrays> void print(const std::string& name, const Arrays&... arrays) {
    std::uint64_t hash = 14695981039346656037u;
    const auto add = [&](const auto& array) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(array.data());
        for (std::size_t i = 0; i < array.size() * sizeof(array[0]); ++i) hash = (hash ^ bytes[i]) * 1099511628211u;
    };
    (add(arrays), ...);
    std::printf("%016" PRIx64 " %s\n", hash, name.c_str());
}

template <class T> std::string dtype() { return sizeof(T) == 4 ? " float32" : " float64"; }
std::string shape(Index a, Index b) { return " " + std::to_string(a) + "x" + std::to_string(b); }

template <class T> void dense(Index n, Index d, Index m) {
    const Values<T> inputs = data<T>(n * d, 1), weights = data<T>(d * m, 2), biases = data<T>(m, 3), dvalues = data<T>(n * m, 4);
    Values<T> output(dvalues), dweights(weights), dbiases(biases), dinputs(inputs);
    model::dense_forward<T>({n, d, m}, inputs.data(), weights.data(), biases.data(), output.data());
    model::dense_backward<T>({n, d, m}, inputs.data(), dvalues.data(), weights.data(), dweights.data(), dbiases.data(), dinputs.data());
    print("dense " + std::to_string(n) + shape(d, m) + dtype<T>(), output, dweights, dbiases, dinputs);
}

template <class T> void elementwise(Index n) {
    const Values<T> inputs = data<T>(n, 5, 30), dvalues = data<T>(n, 6);
    Values<T> output(inputs), other(inputs);
    const std::string size = " " + std::to_string(n) + dtype<T>();
    for (const Activation kind : {Activation::relu, Activation::sigmoid, Activation::tanh}) {
        model::activation_forward(kind, n, inputs.data(), output.data());
        model::activation_backward(kind, n, dvalues.data(), output.data(), other.data());
        print("activation " + std::to_string(static_cast<int>(kind)) + size, output, other);
    }
    model::dropout_forward(n, 0.7, (std::uint64_t(1) << 60) + 3, (std::uint64_t(1) << 40) + 1, 3, inputs.data(), output.data(), other.data());
    print("dropout" + size, output, other);
    model::regularize(n, 0.01, 0.02, inputs.data(), output.data());
    print("regularize" + size, output);
}

UpdateRule rule_of(Rule rule) {
    UpdateRule result = {};
    result.rule = rule;
    result.rate = 0.1;
    result.momentum = result.rho = result.beta_1 = 0.9;
    result.beta_2 = 0.999;
    result.epsilon = 1e-7;
    result.correction_1 = 0.271;
    result.correction_2 = 0.003;
    return result;
}
constexpr Rule rules[] = {Rule::sgd, Rule::momentum, Rule::nesterov, Rule::adagrad, Rule::rmsprop, Rule::adam};

template <class T> void updates(Index n) {
    for (const Rule rule : rules) {
        Values<T> parameter = data<T>(n, 8), gradient = data<T>(n, 9), momentums = data<T>(n, 10), cache = data<T>(n, 11);
        for (T& value : cache) value *= value;
        model::update<T>({rule_of(rule), n, gradient.data(), parameter.data(), momentums.data(), cache.data()});
        print("update " + std::to_string(static_cast<int>(rule)) + " " + std::to_string(n) + dtype<T>(), parameter, momentums, cache);
    }
}

template <class T> void rows(Index n, Index m) {
    const Values<T> inputs = data<T>(n * m, 12), dvalues = data<T>(n * m, 13);
    Values<T> output(inputs), dinputs(inputs), targets(inputs), losses(static_cast<std::size_t>(n));
    model::softmax_forward(n, m, inputs.data(), output.data());
    model::softmax_backward(n, m, dvalues.data(), output.data(), dinputs.data());
    print("softmax" + shape(n, m) + dtype<T>(), output, dinputs);
    model::activation_forward(Activation::sigmoid, n * m, dvalues.data(), targets.data());
    std::vector<std::int64_t> labels(static_cast<std::size_t>(n));
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i) % m;
    for (int kind = 0; kind <= static_cast<int>(Loss::softmax_crossentropy); ++kind)
        for (const bool labelled : {false, true}) {
            if (labelled && kind < static_cast<int>(Loss::categorical_crossentropy)) continue;
            Values<T> outputs = kind == static_cast<int>(Loss::softmax_crossentropy) ? inputs : output;
            model::loss<T>({static_cast<Loss>(kind), n, m, outputs.data(), labelled ? nullptr : targets.data(), labelled ? labels.data() : nullptr,
                            losses.data(), dinputs.data()});
            print("loss " + std::to_string(kind) + (labelled ? " labels" : " targets") + shape(n, m) + dtype<T>(), losses, dinputs);
        }
}

// 13 steps of each optimizer on a net d - hidden - 7 with dropout and regularisation, last batch partial.
template <class T> void training(model::EngineKind engine, Index d, Index hidden, Index batch, int threads) {
    constexpr Index classes = 7;
    const Index count = 4 * batch + batch / 2;
    runtime::set_num_threads(threads);
    for (const Rule rule : rules) {
        model::Network network = {};
        network.stages = {{d, hidden, Activation::tanh, {0.8, 17, 0}, 1e-4, 1e-3, 0, 0}, {hidden, classes, Activation::softmax, {}, 0, 1e-3, 0, 0}};
        network.loss = Loss::softmax_crossentropy;
        network.metric = Metric::categorical;
        network.batch_size = batch;
        network.labels = true;
        network.rule = rule;
        const Values<T> inputs = data<T>(count * d, 14);
        std::vector<std::int64_t> labels(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int64_t>(i * i) % classes;
        model::Samples samples;
        samples.count = count;
        samples.inputs = inputs.data();
        samples.inputs_double = sizeof(T) == 8;
        samples.labels = labels.data();
        model::Training<T> plan(network, engine, samples, {}, 3, model::Nonfinite::stop);
        std::vector<Values<T>> memory;
        for (const Index size : {d * hidden, hidden, hidden * classes, classes}) {
            memory.push_back(data<T>(size, 20, 0.1));
            for (int i = 0; i < 2; ++i) memory.emplace_back(static_cast<std::size_t>(size));
        }
        std::vector<model::StageArrays<T>> arrays;
        for (std::size_t s = 0; s < 12; s += 6) {
            T* a[6];
            for (std::size_t i = 0; i < 6; ++i) a[i] = memory[s + i].data();
            arrays.push_back({a[0], a[3], a[1], a[4], a[2], a[5]});
        }
        plan.load(arrays);
        plan.schedule.rule = rule_of(rule);
        plan.schedule.learning_rate = 0.01;
        while (!plan.done()) plan.run(13, 1e9, nullptr);
        plan.store(arrays);
        print(std::string("training ") + model::engine_name(engine) + " " + std::to_string(static_cast<int>(rule)) + shape(d, hidden) + ", " +
                  std::to_string(threads) + " threads" + dtype<T>(),
              memory[0], memory[1], memory[2], memory[3], memory[6], memory[7], memory[8], memory[9]);
    }
}

template <class T> void all() {
    for (const Index n : {1, 5, 33, 67}) dense<T>(n, 2 * n - 1, n + 16);
    dense<T>(130, 257, 33);
    dense<T>(303, 70, 129);
    for (const Index n : {1, 15, 67, 10007}) {
        elementwise<T>(n);
        updates<T>(n);
    }
    rows<T>(1, 1);
    rows<T>(33, 10);
    rows<T>(67, 65);
    training<T>(model::EngineKind::nano, 3, 11, 37, 1);
    for (const int threads : {1, 2}) training<T>(model::EngineKind::panels, 67, 70, 50, threads);
}

}  // namespace

int main() {
    all<float>();
    all<double>();
}
