#!/bin/bash
# An array of jobs that know nothing of each other: each counts every N-th point into a store of its own.
#
#     sbatch examples/cluster/shards.sh STUDY.toml FOLDER
#     jaxcogc merge FOLDER/*.db --store STORE.db        # when all are done, or before
#
#SBATCH --job-name=jaxcogc
#SBATCH --array=1-8
#SBATCH --cpus-per-task=8
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@60

set -euo pipefail
part="${SLURM_ARRAY_TASK_ID}" parts="${SLURM_ARRAY_TASK_COUNT}"
mkdir -p "$2"
exec srun jaxcogc collect "$1" --store "$2/$part.db" --shard "$part/$parts"
