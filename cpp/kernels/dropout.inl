// Dropout: mask = (u < keep) / keep, one bit an element until it is multiplied with.
//
// Element e of the step's (n, m) array takes word e % 4 of block e / 4 of its stream (philox.inl); u = (word >> 8) / 2^24.
// No state, so any part of it can be drawn, by any thread.

// Blocks drawn at a time.
constexpr Index drawn_blocks = 48 * group_blocks, drawn_words = drawn_blocks / 8;

// Draws in place what needs no shifting, whole groups of vectors: words one behind the other, from the first bit of a byte
// on. Returns how many elements that were.
inline Index draw_in_place(const DrawJob& job, const Stream& stream) {
    if (job.first % 8 != 0 || job.bits.vec != 1 || (job.rows > 1 && job.cols != 32 * job.bits.row)) return 0;
    const Index blocks = run_length(job.first / 4, job.rows * job.cols / 4) / group_blocks * group_blocks;
    draw_run(stream, job.first / 4, blocks, reinterpret_cast<unsigned char*>(job.bits.data));
    return 4 * blocks;
}

inline void draw_dropout(const DrawJob& whole) noexcept {
    const Stream stream = stream_of(whole.keep, whole.key, whole.step);
    DrawJob job = whole;
    if (const Index done = draw_in_place(whole, stream)) {
        job.first += static_cast<std::uint64_t>(done);
        job.bits.data += done / 32;
        job.cols = job.rows * job.cols - done;
        job.rows = 1;
    }
    unsigned char drawn[(drawn_blocks + group_blocks) / 2 + 8];
    std::uint64_t start = job.first - job.first % 8;     // the element whose bit is the first in `drawn`
    Index place = static_cast<Index>(job.first % 8);     // the next bit,
    Index held = 0, left = place + job.rows * job.cols;  // how many there are, how many will be
    for (Index r = 0; r < job.rows; ++r) {
        std::uint32_t* word = job.bits.data + r * job.bits.row;
        for (Index c = 0; c < job.cols; c += 32, word += job.bits.vec) {
            const Index count = at_most(job.cols - c, 32);
            if (place + count > held) {
                const Index passed = place & ~Index(7);
                start += static_cast<std::uint64_t>(passed);
                left -= passed;
                place -= passed;
                held = at_most((left + 3) / 4, drawn_blocks) * 4;
                draw(stream, start / 4, held / 4, drawn);
            }
            std::uint64_t bits;
            __builtin_memcpy(&bits, drawn + (place >> 3), sizeof bits);
            *word = static_cast<std::uint32_t>(bits >> (place & 7)) & (0xFFFFFFFF >> (32 - count));
            place += count;
        }
    }
}

// --- bits to masks ------------------------------------------------------------------------------------------------

// kept where the lane's bit is set, else 0. The bits of a vector stand side by side,
template <class T> CHAINRULE_INLINE Vec<T> mask_of(const void* bits, const Vec<T>& kept);
// or bit `place` of a word for each lane.
template <class T> CHAINRULE_INLINE Vec<T> mask_of_words(const std::uint32_t* words, Index place, const Vec<T>& kept);

#if defined(__AVX512F__)
CHAINRULE_INLINE Vec<float> masked(__mmask16 bits, const Vec<float>& x) { return {{_mm512_maskz_mov_ps(bits, x.part[0])}}; }
CHAINRULE_INLINE Vec<double> masked(__mmask8 bits, const Vec<double>& x) { return {{_mm512_maskz_mov_pd(bits, x.part[0])}}; }
template <> CHAINRULE_INLINE Vec<float> mask_of(const void* bits, const Vec<float>& kept) {
    __mmask16 which;
    __builtin_memcpy(&which, bits, sizeof which);
    return masked(which, kept);
}
template <> CHAINRULE_INLINE Vec<double> mask_of(const void* bits, const Vec<double>& kept) { return masked(*static_cast<const __mmask8*>(bits), kept); }
template <> CHAINRULE_INLINE Vec<float> mask_of_words(const std::uint32_t* words, Index place, const Vec<float>& kept) {
    return masked(_mm512_test_epi32_mask(_mm512_loadu_si512(words), _mm512_set1_epi32(1 << place)), kept);
}
template <> CHAINRULE_INLINE Vec<double> mask_of_words(const std::uint32_t* words, Index place, const Vec<double>& kept) {
    return masked(_mm256_test_epi32_mask(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(words)), _mm256_set1_epi32(1 << place)), kept);
}
#else
template <class T> CHAINRULE_INLINE Native<T> masked(NativeBits<T> words, NativeBits<T> which, Native<T> x) {
    return (Native<T>)((NativeBits<T>)((words & which) == which) & (NativeBits<T>)x);
}
template <class T> CHAINRULE_INLINE Vec<T> mask_of(const void* bits, const Vec<T>& kept) {
    using Scalar = typename Types<T>::Scalar;
    alignas(line_bytes) static constexpr std::int32_t powers[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768};
    std::uint16_t found = 0;
    __builtin_memcpy(&found, bits, lanes<T> / 8);
    const NativeBits<T> words = static_cast<Scalar>(found) - NativeBits<T>{};
    typedef std::int32_t Powers __attribute__((vector_size(part_lanes<T> * 4), may_alias));
    Vec<T> x;
    EACH_PART x.part[p] = masked<T>(words, __builtin_convertvector(*reinterpret_cast<const Powers*>(powers + p * part_lanes<T>), NativeBits<T>), kept.part[p]);
    return x;
}
template <class T> CHAINRULE_INLINE Vec<T> mask_of_words(const std::uint32_t* words, Index place, const Vec<T>& kept) {
    typedef std::uint32_t Some __attribute__((vector_size(part_lanes<T> * 4), aligned(4), may_alias));
    const NativeBits<T> which = static_cast<typename Types<T>::Scalar>(std::uint32_t(1) << place) - NativeBits<T>{};
    Vec<T> x;
    EACH_PART x.part[p] = masked<T>(__builtin_convertvector(*reinterpret_cast<const Some*>(words + p * part_lanes<T>), NativeBits<T>), which, kept.part[p]);
    return x;
}
#endif

// output = values * mask, whole vectors.
template <class T> void drop(const DropJob<T>& job) noexcept {
    const Vec<T> kept = broadcast(job.kept);
    if (job.samples_in_lanes) {
        for (Index c = 0; c < job.cols; ++c)
            for (Index r = 0; r < job.rows; r += lanes<T>)
                store(job.output.data + c * job.output.row + r,
                      load(job.values.data + c * job.values.row + r) * mask_of_words(job.bits.data + c / 32 * job.bits.vec + r, c % 32, kept));
        return;
    }
    for (Index c = 0; c < job.cols; c += lanes<T>) {
        const unsigned char* bits = reinterpret_cast<const unsigned char*>(job.bits.data) + c / 8;
        const T* values = job.values.data + c / lanes<T> * job.values.vec;
        T* output = job.output.data + c / lanes<T> * job.output.vec;
        for (Index r = 0; r < job.rows; ++r, bits += 4 * job.bits.row, values += job.values.row, output += job.output.row)
            store(output, load(values) * mask_of(bits, kept));
    }
}

// output = inputs * mask and the mask, of n elements from number `first` of the stream on.
template <class T>
void dropout_forward(Index n, double keep, std::uint64_t key, std::uint64_t step, std::uint64_t first, const T* inputs, T* output, T* mask) noexcept {
    const Vec<T> kept = broadcast(static_cast<T>(1.0 / keep));
    std::uint32_t words[drawn_words];
    for (Index done = 0; done < n; done += 32 * drawn_words) {
        const Index count = at_most(n - done, 32 * drawn_words);
        draw_dropout({1, count, keep, key, step, first + static_cast<std::uint64_t>(done), {words, 0, 1}});
        for_each_vector<T>(count, [&](Index i, auto width) {
            const Vec<T> found = mask_of(reinterpret_cast<const unsigned char*>(words) + i / 8, kept);
            store(mask + done + i, found, width);
            store(output + done + i, load(inputs + done + i, width) * found, width);
        });
    }
}
