// Written by derive_polynomials.py; highest power first.
template <class T> struct Polynomials;
template <> struct Polynomials<float> {
    static constexpr float log2_e = 0x1.7154760000000p+0f;
    static constexpr float half_ln2 = 0x1.62e4300000000p-2f;
    static constexpr float ln2_high = 0x1.62e0000000000p-1f;
    static constexpr float ln2_low = 0x1.0bfbe80000000p-15f;
    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; error 6.49e-8
    static constexpr float exp_tail[] = {0x1.6d10fc0000000p-10f, 0x1.120b620000000p-7f, 0x1.55551a0000000p-5f, 0x1.5554de0000000p-3f, 0x1.0000000000000p-1f};
    // (exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4; error 1.3e-7
    static constexpr float tanh_tail[] = {0x1.6d10fc0000000p-5f, 0x1.120b620000000p-3f, 0x1.55551a0000000p-2f, 0x1.5554de0000000p-1f, 0x1.0000000000000p+0f};
    // (2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2); error 1.88e-7
    static constexpr float atanh_tail[] = {0x1.2ee6100000000p-2f, 0x1.997c300000000p-2f, 0x1.55555c0000000p-1f};
    static constexpr float cosh_limit = 0x1.4ccccc0000000p+0f;
    // (cosh(x) - 1 - x^2 / 2) / x^4 over z = x^2, x <= cosh_limit; error 1.37e-10
    static constexpr float cosh_tail[] = {0x1.2f91960000000p-22f, 0x1.9ff9740000000p-16f, 0x1.6c16ee0000000p-10f, 0x1.5555560000000p-5f};
    static constexpr float erfc_centre = 0x1.4000000000000p+1f;
    static constexpr float erfc_zero = 0x1.4666660000000p+3f;
    // (1 + x) exp(x^2) erfc(x) over q = (x - erfc_centre) / (x + erfc_centre), 0 <= x <= erfc_zero; error 9.01e-9
    static constexpr float erfc_scaled[] = {0x1.c4eb6e0000000p-13f, 0x1.3732260000000p-12f, -0x1.c89ebe0000000p-10f, -0x1.b2e9380000000p-11f, 0x1.d73df20000000p-7f, -0x1.02448a0000000p-5f, 0x1.0b0a460000000p-6f, 0x1.38b5220000000p-4f, -0x1.f9f3a80000000p-3f, 0x1.79c3d80000000p-1f};
    static constexpr float normal_centre = 0x1.6000000000000p+1f;
    static constexpr float normal_zero = 0x1.d000000000000p+3f;
    // (1 + x) exp(x^2 / 2) Phi(-x) over q = (x - normal_centre) / (x + normal_centre), 0 <= x <= normal_zero; error 7.9e-9
    static constexpr float normal_scaled[] = {-0x1.4053ac0000000p-13f, -0x1.9483e00000000p-12f, 0x1.351a4c0000000p-11f, 0x1.64a9fe0000000p-9f, -0x1.8ef63c0000000p-9f, -0x1.0e0d100000000p-6f, 0x1.7ebbf20000000p-5f, -0x1.b402d80000000p-6f, -0x1.83b4f00000000p-4f, 0x1.f5fba40000000p-2f};
    static constexpr float normal_peak = 0x1.9884540000000p-2f;
};
template <> struct Polynomials<double> {
    static constexpr double log2_e = 0x1.71547652b82fep+0;
    static constexpr double half_ln2 = 0x1.62e42fefa39efp-2;
    static constexpr double ln2_high = 0x1.62e42fefa2000p-1;
    static constexpr double ln2_low = 0x1.9ef35793c7673p-41;
    // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2; error 1.05e-16
    static constexpr double exp_tail[] = {0x1.af389ecfc4b9cp-26, 0x1.28917c89a43a7p-22, 0x1.71de0db2f6b19p-19, 0x1.a019b9149a41cp-16, 0x1.a01a01a7c2efep-13, 0x1.6c16c17889ef1p-10, 0x1.11111111109b5p-7, 0x1.5555555553d68p-5, 0x1.5555555555556p-3, 0x1.0000000000001p-1};
    // (exp(2 r) - 1 - 2 r) / (2 r^2) for |r| <= ln(2) / 4; error 2.1e-16
    static constexpr double tanh_tail[] = {0x1.af389ecfc4b9cp-16, 0x1.28917c89a43a7p-13, 0x1.71de0db2f6b19p-11, 0x1.a019b9149a41cp-9, 0x1.a01a01a7c2efep-7, 0x1.6c16c17889ef1p-5, 0x1.11111111109b5p-3, 0x1.5555555553d68p-2, 0x1.5555555555556p-1, 0x1.0000000000001p+0};
    // (2 atanh(s) - 2 s) / s^3 over z = s^2, s <= 3 - 2 sqrt(2); error 2.07e-18
    static constexpr double atanh_tail[] = {0x1.0c039c49989c6p-3, 0x1.0fbe95d716020p-3, 0x1.3b1c355a8f7a2p-3, 0x1.745cf9048dd95p-3, 0x1.c71c720159177p-3, 0x1.2492492476cccp-2, 0x1.9999999999a38p-2, 0x1.5555555555555p-1};
    static constexpr double cosh_limit = 0x1.4cccccccccccdp+0;
    // (cosh(x) - 1 - x^2 / 2) / x^4 over z = x^2, x <= cosh_limit; error 7.66e-19
    static constexpr double cosh_tail[] = {0x1.b6e5d065e3effp-45, 0x1.9383b5c244178p-37, 0x1.1eeda59829430p-29, 0x1.27e4fb5cc9337p-22, 0x1.a01a01a038297p-16, 0x1.6c16c16c16b4bp-10, 0x1.5555555555555p-5};
    static constexpr double erfc_centre = 0x1.0000000000000p+2;
    static constexpr double erfc_zero = 0x1.b666666666666p+4;
    // (1 + x) exp(x^2) erfc(x) over q = (x - erfc_centre) / (x + erfc_centre), 0 <= x <= erfc_zero; error 2.67e-17
    static constexpr double erfc_scaled[] = {-0x1.24934610d7a74p-28, -0x1.a4eab513d1bf1p-28, 0x1.8364e38385cd6p-25, 0x1.73b170a22b456p-25, -0x1.86249c46dc42ep-22, 0x1.81ea584761fd1p-27, 0x1.63ba4c6a6a7c7p-19, -0x1.15ffbeb0bade4p-18, -0x1.b949f5edb052ap-17, 0x1.0c9443726b2b0p-14, -0x1.f8766d34fe3a7p-15, -0x1.98b383883c2fdp-12, 0x1.156752aeb3fe4p-9, -0x1.8db87b0b81f1dp-8, 0x1.8e8471e592eb3p-7, -0x1.1ef9faf979398p-6, 0x1.f5c2a42543ebcp-7, 0x1.03a84393c1b60p-8, -0x1.89dfde1d97268p-5, 0x1.df6f785600486p-4, -0x1.9841f8fe19463p-3, 0x1.5eb7f6ecb19a9p-1};
    static constexpr double normal_centre = 0x1.7000000000000p+2;
    static constexpr double normal_zero = 0x1.359999999999ap+5;
    // (1 + x) exp(x^2 / 2) Phi(-x) over q = (x - normal_centre) / (x + normal_centre), 0 <= x <= normal_zero; error 9.7e-18
    static constexpr double normal_scaled[] = {-0x1.fc4551cfe6678p-29, -0x1.3e3d1487c51d0p-27, 0x1.0769c1b8bfd19p-25, 0x1.2d1129f915a58p-24, -0x1.1ac1be699112bp-22, -0x1.fa09fc635b3e6p-23, 0x1.316d9faba6086p-19, -0x1.127d8ad4b6487p-19, -0x1.df58c495ca848p-17, 0x1.b9779070640f5p-15, -0x1.b79adc505bbf5p-16, -0x1.acd0c7059aba1p-12, 0x1.046af394253b8p-9, -0x1.72d5d6ce8f6f4p-8, 0x1.83f53cd9d2994p-7, -0x1.3a32a5dc96583p-6, 0x1.8294ae0aade84p-6, -0x1.33b4c52bf7a74p-6, -0x1.417766ab5fb90p-10, 0x1.38a372ea8f04cp-5, -0x1.6310559c8c0fdp-4, 0x1.d23586bb76060p-2};
    static constexpr double normal_peak = 0x1.9884533d43651p-2;
};
