"""The plan for GPUs that are not there: reading what the compiler leaves, and one small program."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from benchmarks.command import main
from benchmarks.gpu import plan
from benchmarks.gpu.compiling import why_no_compiler
from benchmarks.gpu.machine_code import Code, work_of

ROOT = Path(__file__).parents[2]
PLANNER = ROOT / ".venv-gpu" / "bin" / "python"


def test_the_busiest_pipe_bounds_a_kernel():
    names = ["MOV", "IADD3", "IMNMX", "LOP3.LUT", "BRA", "EXIT"]
    operands = ["", "", "", "", " `(.L_x_0)", ""]
    code = Code(list(zip(names, operands, strict=True)), {".L_x_0": 1})
    assert code.loops() == [(1, 4)]
    work = work_of(code, [10])
    assert work.instructions == 2 + 4 * 10
    assert (work.pipe, work.cycles) == ("logic", 2 + 3 * 2 * 10)


def test_a_plan_without_the_compiler_is_one_line(capsys):
    if why_no_compiler() is None:
        pytest.skip("the compiler is installed here")
    with pytest.raises(SystemExit) as stopped:
        main(["gpu", "--plan"])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "benchmarks/gpu-requirements.txt" in error


def test_no_program_of_a_described_gpu_waits_for_the_host(tmp_path):
    """The programs for many and for few trials of one small shape, where `make gpu-plan` has put
    the compiler."""
    if not (ROOT / ".venv-gpu" / ".installed").exists():
        pytest.skip("did not run: the compiler for GPUs is not installed (make gpu-plan)")
    target = tmp_path / "plan.json"
    arguments = ["gpu", "--plan", "--quick", "--shape", "4,2,2", "--json", str(target)]
    run = subprocess.run(
        [PLANNER, "-m", "benchmarks", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        cwd=ROOT,
    )
    assert run.returncode == 0, run.stderr
    result = json.loads(target.read_text())
    assert result["complete"]
    names = [case["program"].split(", ")[-1] for case in result["cases"]]
    assert names == ["fused", "loops"]
    for case in result["cases"]:
        assert case["host_waits"] == 0
        assert case["spilled_bytes"] == 0
        assert case["kernels"] > 0
    case = result["cases"][0]
    fused = case["fused_kernel"]
    assert fused["instructions_a_trial"] > 16 * 90, "two words of a link take 90 instructions"
    rate = case["predicted_rate"]
    assert 0 < rate["low"] < rate["high"] < fused["bound_trials_per_second"]


def test_a_plan_that_is_stopped_keeps_what_it_has(tmp_path, monkeypatch):
    def stopped_at_the_second(*_):
        yield {"program": "the first"}
        raise KeyboardInterrupt

    monkeypatch.setattr(plan, "why_no_compiler", lambda: None)
    monkeypatch.setattr(plan, "_plan", stopped_at_the_second)
    monkeypatch.setattr(plan, "print_case", lambda *_: None)
    target = tmp_path / "plan.json"
    with pytest.raises(KeyboardInterrupt):
        main(["gpu", "--plan", "--json", str(target)])
    kept = json.loads(target.read_text())
    assert kept["cases"] == [{"program": "the first"}]
    assert not kept["complete"]


def test_the_plan_that_is_kept_has_no_waits_and_no_spills():
    result = json.loads((ROOT / "benchmarks" / "results" / "gpu.json").read_text())
    assert result["assumptions"]
    assert result["complete"]
    assert len({case["target"] for case in result["cases"]}) == 3
    for case in result["cases"]:
        assert case["host_waits"] == 0, case["program"]
        assert case["predicted_rate"] or case["no_rate_because"], case["program"]
        if case["fused_kernel"]:
            most = 68 if _known_to_spill(case) else 0
            assert case["spilled_bytes"] <= most, (case["target"], case["program"])


def _known_to_spill(case) -> bool:
    """The ring kernel of 64 clients needs all registers that a thread of an A100 can have."""
    return "A100" in case["target"] and "(64, 16, 1)" in case["program"]
