#!/bin/bash
# One job of several hosts: their processes count every block together, the first one keeps the store.
#
#     sbatch examples/cluster/one_job.sh STUDY.toml STORE.db
#
# It is told a minute before its time is over, stores the blocks under way and ends; sent again it goes on.
#SBATCH --job-name=jaxcogc
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=04:00:00
#SBATCH --signal=TERM@60

set -euo pipefail
exec srun jaxcogc collect "$1" --store "$2" --distributed
