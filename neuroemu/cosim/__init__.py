"""The Verilog cores of rtl/ against the Python model that they implement."""
