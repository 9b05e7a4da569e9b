# Copyright 2026 The Sluice Authors. SPDX-License-Identifier: Apache-2.0
"""Client of sluiced, the daemon that owns the KV cache of LLM inference engines.

with sluice.Client("unix:/run/sluice/sluice.sock") as client, client.session() as session:
    model = client.register_model(spec)
    sequence = client.create_sequence(model, policy=sluice.Policy("l2norm"), session=session)
    step = session.begin_step([sluice.StepEntry(sequence, token_ids)])
    for layer in range(layers):
        out = step.attend(layer, q, k, v).out
"""

from sluice import explain
from sluice.client import Client
from sluice.errors import (
    Aborted,
    DaemonRestarted,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    SequenceLost,
    SluiceError,
    StepOpen,
    Unavailable,
    Unimplemented,
)
from sluice.model_spec import LayerSpec, ModelSpec, Pairing, RopeTable
from sluice.policy import (
    GroupReduce,
    HeadBudget,
    LayerArithmetic,
    Policy,
    Ratio,
    ResolvedPolicy,
    ScoreNormalise,
    ScorePool,
    SharedPrefix,
    Triggers,
    Visible,
)
from sluice.results import (
    AttendResult,
    Capabilities,
    CompressResult,
    Explanation,
    JobReport,
    LayerKept,
    LayerLoss,
    LayerUsage,
    Limits,
    SequenceInfo,
)
from sluice.sequence import KvSequence, Model
from sluice.session import Session
from sluice.step import LayerRows, LeftOut, Phase, Step, StepEntry

__all__ = [
    "Aborted",
    "AttendResult",
    "Capabilities",
    "Client",
    "CompressResult",
    "DaemonRestarted",
    "DeadlineExceeded",
    "Explanation",
    "FailedPrecondition",
    "GroupReduce",
    "HeadBudget",
    "InvalidArgument",
    "JobReport",
    "KvSequence",
    "LayerArithmetic",
    "LayerKept",
    "LayerLoss",
    "LayerRows",
    "LayerSpec",
    "LayerUsage",
    "LeftOut",
    "Limits",
    "Model",
    "ModelSpec",
    "NotFound",
    "Pairing",
    "Phase",
    "Policy",
    "Ratio",
    "ResolvedPolicy",
    "ResourceExhausted",
    "RopeTable",
    "ScoreNormalise",
    "ScorePool",
    "SequenceInfo",
    "SequenceLost",
    "Session",
    "SharedPrefix",
    "SluiceError",
    "Step",
    "StepEntry",
    "StepOpen",
    "Triggers",
    "Unavailable",
    "Unimplemented",
    "Visible",
    "explain",
]
