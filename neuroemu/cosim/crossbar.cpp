// Drives a verilated crossbar_core in batches: configuration words, then events in and packets, state and clocks out.
//
// Input gaps and output stalls come from a counter-based generator, so that a run is the same every time. While an output
// waits, its payload is watched; the order of neurons is watched too.
#include <cstdint>
#include <cstring>
#include <memory>

#include "Vcore.h"
#include "verilated.h"

namespace {

constexpr int kServeLimit = 1 << 20;  // clocks a request or an event may take before the core is said to hang

struct Core {
    std::unique_ptr<VerilatedContext> context{noise()};
    std::unique_ptr<Vcore> dut{new Vcore{context.get()}};
    uint64_t dice = 0;
    uint32_t gap = 0, stall = 0;

    // Every memory and register starts with a noise of its own, the same in every run: what is not written or cleared is seen.
    static VerilatedContext *noise() {
        auto *context = new VerilatedContext;
        context->randReset(2);
        context->randSeed(1);
        return context;
    }

    void settle() {
        dut->clk = 0;
        dut->eval();
    }

    void edge() {
        dut->clk = 1;
        dut->eval();
    }

    // Whether something of so many chances in 256 happens in this clock.
    bool happens(uint32_t chances) {
        if (chances == 0) return false;
        dice = dice * 6364136223846793005ULL + 1442695040888963407ULL;
        return (dice >> 56) < chances;
    }

    bool request(bool write, uint32_t address, uint32_t *word) {
        dut->cfg_valid = 1;
        dut->cfg_write = write;
        dut->cfg_addr = address;
        dut->cfg_wdata = write ? *word : 0;
        for (int clock = 0; clock < kServeLimit; ++clock) {
            settle();
            const bool done = dut->cfg_ready;
            if (done && !write) *word = dut->cfg_rdata;
            edge();
            if (done) {
                dut->cfg_valid = 0;
                return true;
            }
        }
        dut->cfg_valid = 0;
        return false;
    }
};

uint32_t packet_of(const Vcore &dut) {
    return dut.out_last ? 1u << 31 : dut.out_dx | dut.out_dy << 9 | dut.out_axon << 18 | dut.out_delay << 26;
}

enum Count { kPackets, kUpdates, kClocks, kWaits, kStalls, kProblem, kCounts };
enum Problem { kNone, kHangs, kPayload, kOrder, kFull };

}  // namespace

extern "C" {

void crossbar_reset(void *handle) {
    Core &core = *static_cast<Core *>(handle);
    core.dut->in_valid = core.dut->out_ready = core.dut->cfg_valid = 0;
    core.dut->rst = 1;
    core.settle();
    core.edge();
    core.dut->rst = 0;
}

void *crossbar_new() {
    Core *core = new Core;
    crossbar_reset(core);
    return core;
}

void crossbar_delete(void *handle) { delete static_cast<Core *>(handle); }

void crossbar_pace(void *handle, uint64_t seed, uint32_t gap, uint32_t stall) {
    Core &core = *static_cast<Core *>(handle);
    core.dice = seed;
    core.gap = gap;
    core.stall = stall;
}

// `count` words to or from addresses `address`, `address + step`, ...; how many were served.
int64_t crossbar_configure(void *handle, int write, uint32_t address, uint32_t step, uint32_t *words, int64_t count) {
    Core &core = *static_cast<Core *>(handle);
    for (int64_t index = 0; index < count; ++index)
        if (!core.request(write != 0, address + step * static_cast<uint32_t>(index), words + index)) return index;
    return count;
}

// Events (axon, delay << 8, marker << 31) in, until the last marker has come back or so many clocks are over.
void crossbar_run(void *handle, const uint32_t *events, int64_t event_count, int64_t clock_limit, uint32_t *packets,
                  int64_t packet_room, int32_t *v, uint8_t *flags, int64_t update_room, uint32_t neurons, int64_t *counts) {
    Core &core = *static_cast<Core *>(handle);
    Vcore &dut = *core.dut;
    std::memset(counts, 0, kCounts * sizeof(int64_t));
    int64_t next = 0, open = 0, quiet = 0;
    for (int64_t index = 0; index < event_count; ++index) open += events[index] >> 31;
    bool offered = false, waited = false;
    uint32_t waiting = 0;
    while ((next < event_count || open > 0) && counts[kClocks] < clock_limit) {
        // An event that was offered stays until it is taken.
        if (next < event_count && !offered) offered = !core.happens(core.gap);
        dut.in_valid = offered;
        if (offered) {
            dut.in_last = events[next] >> 31;
            dut.in_axon = events[next] & 255;
            dut.in_delay = events[next] >> 8 & 15;
        }
        dut.out_ready = !core.happens(core.stall);
        core.settle();
        if (dut.out_valid) {
            const uint32_t packet = packet_of(dut);
            if (waited && packet != waiting) counts[kProblem] = kPayload;
            if (dut.out_ready) {
                if (counts[kPackets] == packet_room) counts[kProblem] = kFull;
                else packets[counts[kPackets]++] = packet;
                open -= packet >> 31;
            } else {
                ++counts[kStalls];
            }
            waited = !dut.out_ready;
            waiting = packet;
        } else if (waited) {
            counts[kProblem] = kPayload;
        }
        if (dut.upd_valid) {
            const int64_t place = counts[kUpdates];
            if (place == update_room) counts[kProblem] = kFull;
            else {
                if (dut.upd_neuron != place % neurons) counts[kProblem] = kOrder;
                v[place] = static_cast<int32_t>(static_cast<uint32_t>(dut.upd_v) << 12) >> 12;
                flags[place] = dut.upd_spiked | dut.upd_left_range << 1;
                ++counts[kUpdates];
            }
        }
        const bool moved = (dut.in_valid && dut.in_ready) || dut.out_valid || dut.upd_valid;
        quiet = moved ? 0 : quiet + 1;
        if (quiet == kServeLimit) counts[kProblem] = kHangs;
        counts[kWaits] += dut.in_ready && !dut.in_valid;
        ++counts[kClocks];
        if (dut.in_valid && dut.in_ready) {
            ++next;
            offered = false;
        }
        core.edge();
        if (counts[kProblem] != kNone) break;
    }
    dut.in_valid = 0;
    dut.out_ready = 0;
}
}
