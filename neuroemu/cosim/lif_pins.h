// The pins of lif_core for harness.cpp: a packet is (target core, axon), an event is an axon.
//
// neuroemu/cosim/lif.py defines V_BITS of the build and names states and packets in the same order.
#include <cstdint>

#include "Vcore.h"

namespace {

struct Pins {
    static constexpr int STATES = 3, FIELDS = 2;

    static void give(Vcore& top, uint32_t event) { top.in_axon = event; }

    static void packet(const Vcore& top, int32_t* fields) {
        fields[0] = static_cast<int32_t>(top.out_core);
        fields[1] = static_cast<int32_t>(top.out_axon);
    }

    static int64_t target(const int32_t* fields, int64_t, int64_t) { return fields[0]; }

    static uint32_t event(const int32_t* fields) { return static_cast<uint32_t>(fields[1]); }

    static void state(const Vcore& top, int32_t* states) {
        states[0] = extended(top.upd_u);
        states[1] = extended(top.upd_v);
        states[2] = static_cast<int32_t>(top.upd_refractory);
    }

    static int32_t extended(uint32_t bits) {
        const int unused = 32 - V_BITS;
        return static_cast<int32_t>(bits << unused) >> unused;
    }
};

}  // namespace
