// Drives Verilated cores in batches of ticks: events in, packets out, every update and every cycle recorded.
//
// Built by neuroemu/cosim/build.py as a shared library, behind a file of Pins that says what the ports of a family's core mean.
// neuroemu/cosim/core.py is its only caller and defines NEURONS of the build.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "Vcore.h"
#include "verilated.h"
#ifdef TRACE
#include "verilated_vcd_c.h"
#endif

namespace {

enum Fault : int32_t {
    NONE = 0, NO_ANSWER = 1, TOO_MANY_PACKETS = 2, PACKET_WITHOUT_TICK = 3, CHANGED_PACKET = 4, OUT_OF_ORDER = 5,
    OUT_OF_CLOCKS = 6, ENDED = 7
};

// Thrown where the Verilog says $finish, $stop or $fatal: the simulation ends there, not the process.
struct Ended {};

[[noreturn]] void end(const char* file, int line, const char* what) {
    std::fprintf(stderr, "%s:%d: %s\n", file, line, what);
    throw Ended();
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
    bool watched = true;
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
        Pins::give(*top, 0);
        top->out_ready = 0;
        top->cfg_valid = top->cfg_write = 0;
        top->cfg_addr = 0;
        top->cfg_wdata = 0;
    }

    void dump(int half) {
#ifdef TRACE
        if (watched && trace->isOpen()) trace->dump(static_cast<uint64_t>(2 * clock + half));
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
};

}  // namespace

void vl_finish(const char* file, int line, const char*) VL_MT_UNSAFE { end(file, line, "Verilog $finish"); }

void vl_stop(const char* file, int line, const char*) VL_MT_UNSAFE { end(file, line, "Verilog $stop"); }

void vl_fatal(const char* file, int line, const char*, const char* what) VL_MT_UNSAFE { end(file, line, what); }

// Layout as `_Batch` in neuroemu/cosim/core.py.
struct Batch {
    int64_t ticks, first_tick, reset_period;
    const int64_t *before_start, *after_start;  // (ticks * cores + 1) where the host's events of every tick and core begin in ...
    const uint32_t *before, *after;             // events in front of the tick's marker, and behind it
    const int64_t* restart_start;               // (cores + 1) where the words that start a sample begin in ...
    const uint32_t *restart_address, *restart_word;
    int64_t tick_address;                       // of a register that takes the number of the tick then; -1: none
    int64_t counters;
    const uint32_t* counter_address;
    uint32_t input_stall, output_stall, read_share;  // shares of 2**32
    uint64_t seed;
    int32_t* const* state;        // STATES arrays (ticks, neurons of all cores)
    uint8_t* flags;               // 1 spiked, 2 left its range
    int32_t* updates;             // (ticks, cores)
    uint8_t* read;                // (ticks, cores): 1 where the registers were read behind the tick
    uint32_t* const* counter;     // arrays (ticks, cores) of what they said there
    int64_t *counted, *waited;    // cycles of the tick and stalls, counted here at the pins
    int64_t packet_room, packets;
    int32_t* packet;              // (packet_room, FIELDS)
    int64_t* packet_start;        // (ticks * cores + 1)
    int64_t clocks;               // that all cores took together
    int64_t most_clocks;          // of one core, then the batch ends wherever it is
    int64_t fault_tick;
    int32_t fault, fault_core;
};

namespace {

struct Net {
    const int32_t* first_neuron;  // (cores + 1)
    const int32_t* number;        // (cores) on the chip
    const int32_t* position;      // core number -> position, -1 where no core is simulated: packets for it are lost
    int64_t addressable, columns;
};

struct Run {
    Core** cores;
    int32_t count;
    const Net& net;
    Batch& batch;
    std::vector<Shift> shifts;
    std::vector<int64_t> last_clock;
    int32_t working = 0;  // the core that is simulated now

    bool fault(Fault kind, int64_t tick, int32_t core) {
        batch.fault = kind;
        batch.fault_tick = tick;
        batch.fault_core = core;
        return false;
    }

    // The words that a sample starts with. A waveform has the last one only, the clear: a memory that is written would fill it.
    bool restart(int64_t row, int32_t number) {
        working = number;
        Core& core = *cores[number];
        for (int64_t at = batch.restart_start[number]; at < batch.restart_start[number + 1]; ++at) {
            uint32_t word = batch.restart_word[at];
            core.watched = at + 1 == batch.restart_start[number + 1];
            if (!core.configure(true, batch.restart_address[at], word)) return fault(NO_ANSWER, row, number);
        }
        uint32_t tick = static_cast<uint32_t>(batch.first_tick + row);
        if (batch.tick_address >= 0 && !core.configure(true, static_cast<uint32_t>(batch.tick_address), tick))
            return fault(NO_ANSWER, row, number);
        return core.idle() || fault(NO_ANSWER, row, number);
    }

    // The marker of a tick, the sweep that it starts, all packets, the marker that comes back.
    bool sweep(int64_t row, int32_t number) {
        working = number;
        Core& core = *cores[number];
        Vcore& top = *core.top;
        const int64_t neurons = net.first_neuron[count];
        const int64_t cell = row * count + number;
        const int32_t size = net.first_neuron[number + 1] - net.first_neuron[number];
        const int64_t at = row * neurons + net.first_neuron[number];
        int64_t counted = 0, waited = 0, quiet = 0;
        int32_t updates = 0;
        bool sent = false, offered = false, held = false;
        Shift& shift = shifts[static_cast<size_t>(number)];
        int32_t fields[Pins::FIELDS] = {}, held_fields[Pins::FIELDS] = {}, states[Pins::STATES];
        bool held_last = false;
        for (;; ++quiet) {
            if (quiet > Core::PATIENCE) return fault(NO_ANSWER, row, number);
            if (core.clock >= last_clock[static_cast<size_t>(number)]) return fault(OUT_OF_CLOCKS, row, number);
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
            if (top.out_valid) Pins::packet(top, fields);
            if (held && (!top.out_valid || static_cast<bool>(top.out_last) != held_last
                         || (!held_last && std::memcmp(fields, held_fields, sizeof fields))))
                return fault(CHANGED_PACKET, row, number);
            held = stalled;
            if (stalled) {
                std::memcpy(held_fields, fields, sizeof fields);
                held_last = top.out_last;
            }
            if (top.upd_valid) {
                const int32_t neuron = static_cast<int32_t>(top.upd_neuron);
                if (neuron != updates) return fault(OUT_OF_ORDER, row, number);
                if (neuron < size) {
                    Pins::state(top, states);
                    for (int state = 0; state < Pins::STATES; ++state) batch.state[state][at + neuron] = states[state];
                    batch.flags[at + neuron] = static_cast<uint8_t>(top.upd_spiked | (top.upd_left_range << 1));
                }
                ++updates;
                quiet = 0;
            }
            const bool last = leaves && top.out_last;
            if (leaves && !last) {
                if (batch.packets == batch.packet_room) return fault(TOO_MANY_PACKETS, row, number);
                std::memcpy(batch.packet + Pins::FIELDS * batch.packets, fields, sizeof fields);
                ++batch.packets;
                quiet = 0;
            }
            core.edge();
            sent |= taken;
            if (last) break;
        }
        top.in_valid = top.in_last = 0;
        batch.updates[cell] = updates;
        batch.counted[cell] += counted;
        batch.waited[cell] = waited;
        return true;
    }

    bool deliver(int64_t row, int32_t number, const std::vector<uint32_t>& events) {
        working = number;
        Core& core = *cores[number];
        Vcore& top = *core.top;
        int64_t counted = 0, quiet = 0;
        size_t next = 0;
        bool offered = false;
        Shift& shift = shifts[static_cast<size_t>(number)];
        for (;; ++quiet) {
            if (quiet > Core::PATIENCE) return fault(NO_ANSWER, row, number);
            if (core.clock >= last_clock[static_cast<size_t>(number)]) return fault(OUT_OF_CLOCKS, row, number);
            const bool more = next < events.size();
            offered = more && (offered || !shift.below(batch.input_stall));
            top.in_valid = offered;
            if (offered) Pins::give(top, events[next]);
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
        batch.counted[row * count + number] += counted;
        return true;
    }

    // Counters are read behind some ticks only, so that markers follow events directly and a sweep begins while the core still
    // works on the last of them.
    bool look(int64_t row, int32_t number) {
        working = number;
        const int64_t cell = row * count + number;
        if (row + 1 != batch.ticks && !shifts[static_cast<size_t>(number)].below(batch.read_share)) return true;
        batch.read[cell] = 1;
        for (int64_t counter = 0; counter < batch.counters; ++counter)
            if (!cores[number]->configure(false, batch.counter_address[counter], batch.counter[counter][cell]))
                return fault(NO_ANSWER, row, number);
        return true;
    }

    // Events in front of the marker, the sweep, then the packets of all cores and the host's other events.
    bool tick(int64_t row, std::vector<std::vector<uint32_t>>& inbox) {
        const int64_t cell = row * count;
        if ((batch.first_tick + row) % batch.reset_period == 0)
            for (int32_t number = 0; number < count; ++number)
                if (!restart(row, number)) return false;
        for (int32_t number = 0; number < count; ++number) {
            shifts[static_cast<size_t>(number)].start(batch.seed, static_cast<uint64_t>(batch.first_tick + row),
                                                      static_cast<uint64_t>(number));
            inbox[number].assign(batch.before + batch.before_start[cell + number],
                                 batch.before + batch.before_start[cell + number + 1]);
            if (!inbox[number].empty() && !deliver(row, number, inbox[number])) return false;
            inbox[number].assign(batch.after + batch.after_start[cell + number],
                                 batch.after + batch.after_start[cell + number + 1]);
            batch.packet_start[cell + number] = batch.packets;
            if (!sweep(row, number)) return false;
        }
        batch.packet_start[cell + count] = batch.packets;
        for (int32_t number = 0; number < count; ++number)
            for (int64_t packet = batch.packet_start[cell + number]; packet < batch.packet_start[cell + number + 1]; ++packet) {
                const int32_t* fields = batch.packet + Pins::FIELDS * packet;
                const int64_t to = Pins::target(fields, net.number[number], net.columns);
                if (to >= 0 && to < net.addressable && net.position[to] >= 0)
                    inbox[net.position[to]].push_back(Pins::event(fields));
            }
        for (int32_t number = 0; number < count; ++number)
            if (!deliver(row, number, inbox[number]) || !look(row, number)) return false;
        return true;
    }
};

}  // namespace

extern "C" {

Core* core_new(int32_t noise) { return new Core(noise); }

void core_delete(Core* core) {
    try {
        core->top->final();
    } catch (const Ended&) {
    }
    delete core;
}

int32_t core_reset(Core* core) {
    try {
        return core->reset();
    } catch (const Ended&) {
        return false;
    }
}

// Words written one after the other, or read; returns how many were taken.
int64_t core_transfer(Core* core, int32_t write, int64_t words, const uint32_t* address, uint32_t* word) {
    int64_t number = 0;
    try {
        while (number < words && core->configure(write, address[number], word[number])) ++number;
    } catch (const Ended&) {
    }
    return number;
}

// Runs ticks of `count` cores that send packets to each other. Returns the ticks that were completed: fewer than asked for after a
// fault.
int64_t core_run(Core** cores, int32_t count, const int32_t* first_neuron, const int32_t* number, const int32_t* position,
                 int64_t addressable, int64_t columns, Batch* batch) {
    const Net net{first_neuron, number, position, addressable, columns};
    Run run{cores, count, net, *batch, std::vector<Shift>(static_cast<size_t>(count)), {}};
    std::vector<std::vector<uint32_t>> inbox(static_cast<size_t>(count));
    int64_t before = 0, after = 0, row = 0;
    for (int32_t core = 0; core < count; ++core) {
        before += cores[core]->clock;
        run.last_clock.push_back(cores[core]->clock + batch->most_clocks);
    }
    try {
        while (row < batch->ticks && run.tick(row, inbox)) ++row;
    } catch (const Ended&) {
        run.fault(ENDED, row, run.working);
    }
    for (int32_t core = 0; core < count; ++core) after += cores[core]->clock;
    batch->clocks = after - before;
    return row;
}

#ifdef TRACE
void core_trace(Core* core, const char* file) { core->trace->open(file); }

void core_end_trace(Core* core) { core->trace->close(); }
#endif
}
