"""What a GPU can do at most, by its maker's figures: memory bandwidth, dense tensor throughput, memory.

Nothing here was measured by this project. `source` says where each figure was read and what is behind it.
"""

from dataclasses import dataclass
from typing import Literal

TERA = 1e12
GIGA = 1e9


@dataclass(frozen=True, slots=True)
class Gpu:
    """`bandwidth` in bytes a second, `fp8` and `fp16` dense tensor FLOP a second (no sparsity), `memory` in bytes."""

    name: str
    bandwidth: float
    fp8: float
    fp16: float
    memory: float
    source: str
    confidence: Literal["high", "medium"]


L20 = Gpu(
    name="L20",
    bandwidth=864 * GIGA,
    fp8=239 * TERA,
    fp16=119.5 * TERA,
    memory=48 * GIGA,
    source="No datasheet of NVIDIA's was found for the L20. Table of Tom's Hardware, 'New Nvidia AI GPUs "
    "designed to get around U.S. export bans come to China' (2024): 48 GB, 864 GB/s, FP8 239, FP16 119.5 TFLOPS; the "
    "bandwidth is also in technical.city/video/L20. Some lists give twice the throughput (FP16 239, FP8 478: what its "
    "92 multiprocessors would do at 2.52 GHz without the cap of the export rules); the table is taken, the lower.",
    confidence="medium",
)

L4 = Gpu(
    name="L4",
    bandwidth=300 * GIGA,
    fp8=242.5 * TERA,
    fp16=121 * TERA,
    memory=24 * GIGA,
    source="NVIDIA L4 Tensor Core GPU datasheet (https://www.nvidia.com/en-us/data-center/l4/), as copied by "
    "grokipedia.com/page/NVIDIA_L4_vs_L40S: 24 GB, 300 GB/s, FP16 242 and FP8 485 TFLOPS with sparsity, halved here; "
    "github.com/winston-zhang-orz/gpu-specs has the dense 121 and 242.",
    confidence="high",
)

L40S = Gpu(
    name="L40S",
    bandwidth=864 * GIGA,
    fp8=733 * TERA,
    fp16=362.05 * TERA,
    memory=48 * GIGA,
    source="NVIDIA L40S datasheet (https://www.nvidia.com/en-us/data-center/l40s/), table as copied by "
    "mullet.se/product.html?product_id=355414: 48 GB, 864 GB/s, FP16 362.05 | 733*, FP8 733 | 1,466* TFLOPS, "
    "* with sparsity.",
    confidence="high",
)

H100 = Gpu(
    name="H100 SXM",
    bandwidth=3.35 * TERA,
    fp8=1978.9 * TERA,
    fp16=989.4 * TERA,
    memory=80 * GIGA,
    source="NVIDIA H100 Tensor Core GPU datasheet (https://www.nvidia.com/en-us/data-center/h100/), as copied by "
    "glennklockwood.com/garden/processors/h100: SXM5, 80 GB, 3.35 TB/s, FP16 989.4, FP8 1,978.9 TFLOPS dense.",
    confidence="high",
)

GPUS = {gpu.name: gpu for gpu in (L20, L4, L40S, H100)}
