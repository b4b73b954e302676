// The configuration bus of crossbar_core. Written by tools/make_rtl_header.py; do not edit.
`ifndef TN_REGISTERS_VH
`define TN_REGISTERS_VH
`define TN_IDENTITY 32'h544e5801
// Regions: the highest four bits of an address.
`define TN_REGION_REGISTER 4'd0
`define TN_REGION_ROW 4'd1
`define TN_REGION_AXON_TYPE 4'd2
// Registers: offsets in region 0.
`define TN_REGISTER_IDENTITY 8'd0
`define TN_REGISTER_STATUS 8'd1
`define TN_REGISTER_CONTROL 8'd2
`define TN_REGISTER_BUILD_SIZE 8'd3
`define TN_REGISTER_BUILD_RANDOM 8'd4
`define TN_REGISTER_RULES 8'd5
`define TN_REGISTER_CORE_SEED 8'd6
`define TN_REGISTER_CORE_FLAGS 8'd7
`define TN_REGISTER_RUN_SEED 8'd8
`define TN_REGISTER_TICK 8'd9
`define TN_REGISTER_ROW 8'd10
`define TN_REGISTER_CYCLES 8'd11
`define TN_REGISTER_STALLS 8'd12
`define TN_REGISTER_LEFT_RANGE 8'd13
`define TN_REGISTER_MERGED 8'd14
`define TN_REGISTER_SYNAPTIC_EVENTS 8'd15
// Lowest bits of fields; a field that is not listed starts at bit 0.
`define TN_IDENTITY_MAGIC_LOW 8
`define TN_BUILD_SIZE_AXONS_LOW 16
`define TN_BUILD_RANDOM_STOCHASTIC_LOW 8
`define TN_RULES_IBM_CLAMP_LOW 1
`define TN_RULES_RANC_LOW 2
`define TN_RULES_RHO_FROM_ONE_LOW 3
`define TN_RULES_RHO_SPAN_255_LOW 4
// A row behind its synapses: its width, and the lowest bits of its fields.
`define TN_ROW_FIELDS 154
`define TN_ROW_V 0
`define TN_ROW_S0 20
`define TN_ROW_SIGMA0 28
`define TN_ROW_S1 29
`define TN_ROW_SIGMA1 37
`define TN_ROW_S2 38
`define TN_ROW_SIGMA2 46
`define TN_ROW_S3 47
`define TN_ROW_SIGMA3 55
`define TN_ROW_B0 56
`define TN_ROW_B1 57
`define TN_ROW_B2 58
`define TN_ROW_B3 59
`define TN_ROW_LAMBDA 60
`define TN_ROW_SIGMA_LAMBDA 68
`define TN_ROW_C_LAMBDA 69
`define TN_ROW_EPSILON 70
`define TN_ROW_ALPHA 71
`define TN_ROW_BETA 89
`define TN_ROW_TM 107
`define TN_ROW_GAMMA 112
`define TN_ROW_KAPPA 114
`define TN_ROW_R 115
`define TN_ROW_SIGMA_R 123
`define TN_ROW_DX 124
`define TN_ROW_DY 133
`define TN_ROW_AXON 142
`define TN_ROW_DELAY 150
`endif
