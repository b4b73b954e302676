// Drives Verilated LIF cores in batches of ticks: events in, packets out, every update and every cycle recorded.
//
// Built by neuroemu/cosim/build.py as a shared library; neuroemu/cosim/core.py is its only caller and defines NEURONS, V_BITS and
// OFFSET_BITS of the build, and REGISTER_* from the register map.
#include <cstdint>
#include <memory>
#include <vector>

#include "Vcore.h"
#include "verilated.h"
#ifdef TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

enum Fault : int32_t { NONE = 0, NO_ANSWER = 1, TOO_MANY_PACKETS = 2, PACKET_WITHOUT_TICK = 3, CHANGED_PACKET = 4 };

int32_t extended(uint32_t bits) {
    const int unused = 32 - V_BITS;
    return static_cast<int32_t>(bits << unused) >> unused;
}

// Stalls come from a shift register with feedback (xorshift) that starts anew in every tick of every core, so that they depend on
// the seed alone and not on how a run is cut into batches.
struct Shift {
    uint64_t state = 1;
    void start(uint64_t seed, uint64_t tick, uint64_t core) {
        state = seed + 0x9E3779B97F4A7C15u * (tick + 1) + 0xD1B54A32D192ED03u * (core + 1);
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
        state = (state ^ (state >> 27)) * 0x94D049BB133111EBu;
        state ^= state >> 31;
        if (!state) state = 1;
    }
    bool below(uint32_t share) {
        if (!share) return false;
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return static_cast<uint32_t>(state >> 24) < share;
    }
};

struct Core {
    VerilatedContext context;
    std::unique_ptr<Vcore> top;
    int64_t clock = 0;
#ifdef TRACE
    std::unique_ptr<VerilatedVcdC> trace;
#endif

    explicit Core(int32_t noise) {
#ifdef TRACE
        context.traceEverOn(true);
#endif
        // Every memory and register starts with a noise of its own, the same in every run: what is not written or cleared is seen.
        context.randReset(2);
        context.randSeed(noise);
        top.reset(new Vcore(&context, "core"));
#ifdef TRACE
        trace.reset(new VerilatedVcdC);
        top->trace(trace.get(), 99);
#endif
        top->clk = 0;
        top->rst = 0;
        top->in_valid = top->in_last = 0;
        top->in_axon = 0;
        top->out_ready = 0;
        top->cfg_valid = top->cfg_write = 0;
        top->cfg_addr = 0;
        top->cfg_wdata = 0;
    }

    void dump(int half) {
#ifdef TRACE
        if (trace->isOpen()) trace->dump(static_cast<uint64_t>(2 * clock + half));
#else
        (void)half;
#endif
    }

    // Outputs follow the inputs of this clock.
    void settle() { top->eval(); }

    void edge() {
        dump(0);
        top->clk = 1;
        top->eval();
        dump(1);
        top->clk = 0;
        ++clock;
    }

    // Clocks without an answer after which there will be none.
    static constexpr int64_t PATIENCE = 4 * (static_cast<int64_t>(NEURONS) + 64) + 100000;

    bool reset() {
        top->rst = 1;
        for (int i = 0; i < 2; ++i) {
            settle();
            edge();
        }
        top->rst = 0;
        return idle();
    }

    bool idle() {
        for (int64_t waited = 0; waited < PATIENCE; ++waited) {
            settle();
            if (top->in_ready) return true;
            edge();
        }
        return false;
    }

    bool configure(bool write, uint32_t address, uint32_t& word) {
        top->cfg_valid = 1;
        top->cfg_write = write;
        top->cfg_addr = address;
        top->cfg_wdata = word;
        for (int64_t waited = 0; waited < PATIENCE; ++waited) {
            settle();
            const bool done = top->cfg_ready;
            if (done && !write) word = top->cfg_rdata;
            edge();
            if (done) {
                top->cfg_valid = 0;
                return true;
            }
        }
        top->cfg_valid = 0;
        return false;
    }

    bool reads(uint32_t number, uint32_t& word) {
        return configure(false, (static_cast<uint32_t>(REGISTER_REGION) << OFFSET_BITS) | number, word);
    }

    bool clear() {
        uint32_t one = 1;
        return configure(true, (static_cast<uint32_t>(REGISTER_REGION) << OFFSET_BITS) | REGISTER_CONTROL, one)
            && idle();
    }
};

}  // namespace

// Layout as `Batch` in neuroemu/cosim/core.py.
struct Batch {
    int64_t ticks, first_tick, reset_period;
    const int64_t* event_start;   // (ticks * cores + 1) host events of every tick and core in ...
    const int32_t* event_axon;
    uint32_t input_stall, output_stall, read_share;  // shares of 2**32
    uint64_t seed;
    int32_t *u, *v, *refractory;  // (ticks, neurons of all cores)
    uint8_t* flags;               // 1 spiked, 2 left its range
    int32_t* updates;             // (ticks, cores)
    uint8_t* read;                // (ticks, cores): 1 where the registers were read behind the tick
    uint32_t *cycles, *stalls, *left_range;  // what they said there
    int64_t *counted, *waited;    // cycles of the tick and stalls, counted here at the pins
    int64_t packet_room, packets;
    int32_t *packet_core, *packet_axon;
    int64_t* packet_start;        // (ticks * cores + 1)
    int64_t clocks;               // that all cores took together
    int64_t fault_tick;
    int32_t fault, fault_core;
};

namespace {

struct Run {
    Core** cores;
    int32_t count;
    const int32_t* first_neuron;
    const int32_t* position;
    int32_t addressable;
    Batch& batch;
    std::vector<Shift> shifts;

    bool fault(Fault kind, int64_t tick, int32_t core) {
        batch.fault = kind;
        batch.fault_tick = tick;
        batch.fault_core = core;
        return false;
    }

    // The marker of a tick, the sweep that it starts, all packets, the marker that comes back.
    bool sweep(int64_t row, int32_t number) {
        Core& core = *cores[number];
        Vcore& top = *core.top;
        const int64_t neurons = first_neuron[count];
        const int64_t cell = row * count + number;
        const int32_t size = first_neuron[number + 1] - first_neuron[number];
        const int64_t at = row * neurons + first_neuron[number];
        int64_t counted = 0, waited = 0, quiet = 0;
        int32_t updates = 0;
        bool sent = false, offered = false, held = false;
        Shift& shift = shifts[static_cast<size_t>(number)];
        shift.start(batch.seed, static_cast<uint64_t>(batch.first_tick + row), static_cast<uint64_t>(number));
        uint32_t held_core = 0, held_axon = 0, held_last = 0;
        for (;; ++quiet) {
            if (quiet > Core::PATIENCE) return fault(NO_ANSWER, row, number);
            offered = !sent && (offered || !shift.below(batch.input_stall));
            top.in_valid = offered;
            top.in_last = offered;
            top.out_ready = !shift.below(batch.output_stall);
            core.settle();
            const bool taken = top.in_valid && top.in_ready;
            const bool stalled = top.out_valid && !top.out_ready;
            const bool leaves = top.out_valid && top.out_ready;
            counted += !(top.in_ready && !top.in_valid) && !stalled;
            waited += stalled;
            if (held && (!top.out_valid || top.out_last != held_last
                         || (!held_last && (top.out_core != held_core || top.out_axon != held_axon))))
                return fault(CHANGED_PACKET, row, number);
            held = stalled;
            if (stalled) {
                held_core = top.out_core;
                held_axon = top.out_axon;
                held_last = top.out_last;
            }
            if (top.upd_valid) {
                const int32_t neuron = static_cast<int32_t>(top.upd_neuron);
                if (neuron < size) {
                    batch.u[at + neuron] = extended(top.upd_u);
                    batch.v[at + neuron] = extended(top.upd_v);
                    batch.refractory[at + neuron] = static_cast<int32_t>(top.upd_refractory);
                    batch.flags[at + neuron] = static_cast<uint8_t>(top.upd_spiked | (top.upd_left_range << 1));
                }
                ++updates;
                quiet = 0;
            }
            const bool last = leaves && top.out_last;
            if (leaves && !last) {
                if (batch.packets == batch.packet_room) return fault(TOO_MANY_PACKETS, row, number);
                batch.packet_core[batch.packets] = static_cast<int32_t>(top.out_core);
                batch.packet_axon[batch.packets] = static_cast<int32_t>(top.out_axon);
                ++batch.packets;
                quiet = 0;
            }
            core.edge();
            sent |= taken;
            if (last) break;
        }
        top.in_valid = top.in_last = 0;
        batch.updates[cell] = updates;
        batch.counted[cell] = counted;
        batch.waited[cell] = waited;
        return true;
    }

    // Events that count for the next tick. Counters are read behind some ticks only, so that markers follow events directly and a
    // sweep begins while the pipeline still moves.
    bool deliver(int64_t row, int32_t number, const std::vector<int32_t>& axons) {
        Core& core = *cores[number];
        Vcore& top = *core.top;
        int64_t counted = 0, quiet = 0;
        size_t next = 0;
        bool offered = false;
        Shift& shift = shifts[static_cast<size_t>(number)];
        for (;; ++quiet) {
            if (quiet > Core::PATIENCE) return fault(NO_ANSWER, row, number);
            const bool more = next < axons.size();
            offered = more && (offered || !shift.below(batch.input_stall));
            top.in_valid = offered;
            if (offered) top.in_axon = static_cast<uint32_t>(axons[next]);
            top.out_ready = !shift.below(batch.output_stall);
            core.settle();
            if (top.out_valid || top.upd_valid) return fault(PACKET_WITHOUT_TICK, row, number);
            if (!more && top.in_ready) break;
            counted += !(top.in_ready && !top.in_valid);
            if (top.in_valid && top.in_ready) {
                ++next;
                offered = false;
                quiet = 0;
            }
            core.edge();
        }
        const int64_t cell = row * count + number;
        batch.counted[cell] += counted;
        if (row + 1 != batch.ticks && !shift.below(batch.read_share)) return true;
        batch.read[cell] = 1;
        return core.reads(REGISTER_CYCLES, batch.cycles[cell]) && core.reads(REGISTER_STALLS, batch.stalls[cell])
                && core.reads(REGISTER_LEFT_RANGE, batch.left_range[cell])
            ? true
            : fault(NO_ANSWER, row, number);
    }

    bool tick(int64_t row, std::vector<std::vector<int32_t>>& inbox) {
        const int64_t cell = row * count;
        if ((batch.first_tick + row) % batch.reset_period == 0)
            for (int32_t number = 0; number < count; ++number)
                if (!cores[number]->clear()) return fault(NO_ANSWER, row, number);
        for (int32_t number = 0; number < count; ++number) {
            inbox[number].assign(batch.event_axon + batch.event_start[cell + number],
                                 batch.event_axon + batch.event_start[cell + number + 1]);
            batch.packet_start[cell + number] = batch.packets;
            if (!sweep(row, number)) return false;
        }
        batch.packet_start[cell + count] = batch.packets;
        for (int64_t packet = batch.packet_start[cell]; packet < batch.packets; ++packet) {
            const int32_t to = batch.packet_core[packet];
            if (to < addressable && position[to] >= 0) inbox[position[to]].push_back(batch.packet_axon[packet]);
        }
        for (int32_t number = 0; number < count; ++number)
            if (!deliver(row, number, inbox[number])) return false;
        return true;
    }
};

}  // namespace

extern "C" {

Core* lif_new(int32_t noise) { return new Core(noise); }

void lif_delete(Core* core) {
    core->top->final();
    delete core;
}

int32_t lif_reset(Core* core) { return core->reset(); }

// Words written one after the other; returns how many were taken.
int64_t lif_write(Core* core, int64_t words, const uint32_t* address, const uint32_t* word) {
    for (int64_t number = 0; number < words; ++number) {
        uint32_t value = word[number];
        if (!core->configure(true, address[number], value)) return number;
    }
    return words;
}

int64_t lif_read(Core* core, int64_t words, const uint32_t* address, uint32_t* word) {
    for (int64_t number = 0; number < words; ++number) {
        word[number] = 0;
        if (!core->configure(false, address[number], word[number])) return number;
    }
    return words;
}

// Runs ticks of `count` cores that send packets to each other; a packet for core n goes to cores[position[n]]. Returns the ticks
// that were completed: fewer than asked for after a fault.
int64_t lif_run(Core** cores, int32_t count, const int32_t* first_neuron, const int32_t* position, int32_t addressable,
                Batch* batch) {
    Run run{cores, count, first_neuron, position, addressable, *batch, std::vector<Shift>(static_cast<size_t>(count))};
    std::vector<std::vector<int32_t>> inbox(static_cast<size_t>(count));
    int64_t before = 0, after = 0, row = 0;
    for (int32_t number = 0; number < count; ++number) before += cores[number]->clock;
    while (row < batch->ticks && run.tick(row, inbox)) ++row;
    for (int32_t number = 0; number < count; ++number) after += cores[number]->clock;
    batch->clocks = after - before;
    return row;
}

#ifdef TRACE
void lif_trace(Core* core, const char* file) { core->trace->open(file); }

void lif_end_trace(Core* core) { core->trace->close(); }
#endif
}
