from .counts import OutcomeCounts as OutcomeCounts
from .counts import Outcomes as Outcomes
from .counts import outcomes_from_counts as outcomes_from_counts
from .enumeration import can_enumerate as can_enumerate
from .enumeration import enumerate_outcomes as enumerate_outcomes
from .intervals import Estimate as Estimate
from .intervals import clopper_pearson as clopper_pearson
from .intervals import wilson as wilson
from .laws.closed_form import ClosedForm as ClosedForm
from .laws.closed_form import SuccessiveRounds as SuccessiveRounds
from .laws.closed_form import closed_form as closed_form
from .laws.closed_form import successive_rounds as successive_rounds
from .laws.gc_outage import (
    fractional_repetition_outage_probability as fractional_repetition_outage_probability,
)
from .laws.gc_outage import gc_outage_probability as gc_outage_probability
from .laws.gc_outage import log_gc_outage_probability as log_gc_outage_probability
from .laws.strata_law import strata_law as strata_law
from .laws.waiting_times import DecodingTime as DecodingTime
from .laws.waiting_times import MessageSeconds as MessageSeconds
from .laws.waiting_times import RetransmissionSlots as RetransmissionSlots
from .laws.waiting_times import decoding_time as decoding_time
from .laws.waiting_times import retransmission_slots as retransmission_slots
from .outage_point import OutagePoint as OutagePoint
from .rare.rare_events import rare_outcomes as rare_outcomes
from .rare.weighted_sums import RareOutcomes as RareOutcomes
from .recovery_counts import counts_from_recovery as counts_from_recovery
from .simulation.block_trace import BlockTrace as BlockTrace
from .simulation.block_trace import LoweredSimulation as LoweredSimulation
from .simulation.block_trace import lower_simulation as lower_simulation
from .simulation.block_trace import trace_block as trace_block
from .simulation.monte_carlo import Simulation as Simulation
from .simulation.monte_carlo import compile_simulation as compile_simulation
from .simulation.monte_carlo import simulate_outcomes as simulate_outcomes
from .stack_structure import Structure as Structure
from .stack_structure import structure as structure
from .stack_structure import structure_by_attempts as structure_by_attempts
