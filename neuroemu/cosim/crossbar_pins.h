// The pins of crossbar_core for harness.cpp: a packet is (dx, dy, axon, delay), an event is axon | delay << 8.
//
// neuroemu/cosim/crossbar.py names states and packets in the same order.
#include <cstdint>

#include "Vcore.h"

namespace {

struct Pins {
    static constexpr int STATES = 1, FIELDS = 4;

    static void give(Vcore& top, uint32_t event) {
        top.in_axon = event & 255;
        top.in_delay = event >> 8 & 15;
    }

    static void packet(const Vcore& top, int32_t* fields) {
        fields[0] = extended(top.out_dx, 9);
        fields[1] = extended(top.out_dy, 9);
        fields[2] = static_cast<int32_t>(top.out_axon);
        fields[3] = static_cast<int32_t>(top.out_delay);
    }

    // Cores are numbered row by row; without columns there is no mesh.
    static int64_t target(const int32_t* fields, int64_t number, int64_t columns) {
        if (columns == 0) return -1;
        const int64_t x = number % columns + fields[0], y = number / columns + fields[1];
        return x < 0 || x >= columns || y < 0 ? -1 : y * columns + x;
    }

    static uint32_t event(const int32_t* fields) { return static_cast<uint32_t>(fields[2] | fields[3] << 8); }

    static void state(const Vcore& top, int32_t* states) { states[0] = extended(top.upd_v, 20); }

    static int32_t extended(uint32_t bits, int width) {
        return static_cast<int32_t>(bits << (32 - width)) >> (32 - width);
    }
};

}  // namespace
