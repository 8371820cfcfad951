"""The twenty machines of the sample partner: what each is for, what it is made of, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rhythm:
    """How much of a machine's peak is always there, and how much comes with office hours, evenings, nights and jobs."""

    steady: float = 0.1
    office: float = 0.0
    evening: float = 0.0
    night: float = 0.0
    jobs: float = 0.0
    night_hour: float = 1.5
    night_hours: float = 1.0


@dataclass(frozen=True)
class Disk:
    """A whole physical disk. reads, writes: operations a second at the machine's peak; slower_a_day: share of await."""

    name: str
    reads: float
    writes: float
    read_kb: float = 24.0
    write_kb: float = 16.0
    service_ms: float = 0.4
    slower_a_day: float = 0.0


@dataclass(frozen=True)
class Mount:
    """A filesystem; grows_a_day is in percent of its size."""

    path: str
    device: str
    total_mb: float
    used_percent: float
    grows_a_day: float = 0.0
    fstype: str = "ext4"


@dataclass(frozen=True)
class Interface:
    """A physical interface; MB/s at the machine's peak; errors: per second while its cable is loose."""

    name: str
    rx_mb: float
    tx_mb: float
    errors: float = 0.0


@dataclass(frozen=True)
class Machine:
    """One generated machine. peak: busy percent at full demand; memory: share in use at rest, and what demand adds."""

    machine_id: str
    kind: str
    cores: int
    memory_mb: float
    rhythm: Rhythm
    peak: float
    memory: tuple[float, float]
    disks: tuple[Disk, ...]
    mounts: tuple[Mount, ...]
    interfaces: tuple[Interface, ...]
    tags: tuple[str, ...]
    swap_mb: float = 2048.0
    system_share: float = 0.22
    nice_share: float = 0.0
    steal: float = 0.0
    leak_days: float = 0.0
    hot_core: bool = False
    has_psi: bool = True
    outage_every_days: int = 0

    @property
    def ip_address(self) -> str:
        """An address of TEST-NET-2 (RFC 5737), which nobody has."""
        return f"198.51.100.{10 + MACHINES.index(self)}"


WEB = Rhythm(steady=0.16, evening=0.8)
SHOP = Rhythm(steady=0.14, office=0.3, evening=0.55, jobs=0.1)
OFFICE = Rhythm(steady=0.08, office=0.85, night=0.25, night_hour=22.5, night_hours=0.7)
DATABASE = Rhythm(steady=0.18, office=0.5, evening=0.2, night=0.55, night_hour=1.0, night_hours=1.6)
NIGHT = Rhythm(steady=0.03, night=0.95, night_hour=1.5, night_hours=3.2)
BUILD = Rhythm(steady=0.02, office=0.1, jobs=0.85)
FLAT = Rhythm(steady=0.45, office=0.15)
IDLE = Rhythm(steady=0.02, night=0.03, night_hour=4.0, night_hours=0.2)

ROOT = Mount("/", "/dev/sda1", 40_960, 38, 0.02)
SSD = Disk("sda", 25, 60)
NVME = Disk("nvme0n1", 900, 1400, read_kb=16, write_kb=16, service_ms=0.12)
LAN = Interface("eth0", 6, 9)


def _data(total_mb: float, used: float, grows: float = 0.0, path: str = "/srv", device: str = "/dev/sdb1") -> Mount:
    return Mount(path, device, total_mb, used, grows, "xfs")


MACHINES = (
    Machine("web01", "Web server", 4, 7_962, WEB, 62, (0.38, 0.16), (SSD,), (ROOT,), (Interface("eth0", 9, 34),),
            ("web", "production")),
    Machine("web02", "Web server", 4, 7_962, WEB, 58, (0.37, 0.16), (SSD,), (ROOT,), (Interface("eth0", 9, 32),),
            ("web", "production")),
    Machine("web03", "Web server, flaky network card", 4, 7_962, WEB, 60, (0.4, 0.15), (SSD,), (ROOT,),
            (Interface("eth0", 9, 31, errors=14),), ("web", "production")),
    Machine("shop01", "Shop application", 8, 15_926, SHOP, 71, (0.52, 0.12), (SSD,), (ROOT,), (LAN,),
            ("shop", "production")),
    Machine("shop02", "Shop application, leaks memory", 8, 15_926, SHOP, 66, (0.34, 0.06), (SSD,), (ROOT,), (LAN,),
            ("shop", "production"), leak_days=6.3),
    Machine("db01", "PostgreSQL primary", 16, 64_280, DATABASE, 64, (0.71, 0.05), (SSD, NVME),
            (ROOT, _data(1_907_000, 58, 0.21, "/var/lib/postgresql", "/dev/nvme0n1p1")),
            (Interface("eth0", 24, 41), Interface("eth1", 11, 30)), ("database", "production")),
    Machine("db02", "PostgreSQL replica", 16, 64_280, DATABASE, 37, (0.66, 0.04), (SSD, NVME),
            (ROOT, _data(1_907_000, 58, 0.21, "/var/lib/postgresql", "/dev/nvme0n1p1")),
            (Interface("eth0", 12, 14), Interface("eth1", 30, 2)), ("database", "production")),
    Machine("db03", "MariaDB on a spinning disk", 4, 15_926, OFFICE, 55, (0.63, 0.1),
            (SSD, Disk("sdb", 70, 55, service_ms=6.5)), (ROOT, _data(953_000, 71, 0.05, "/var/lib/mysql")), (LAN,),
            ("database", "office")),
    Machine("batch01", "Nightly billing", 8, 31_996, NIGHT, 94, (0.12, 0.6), (SSD, Disk("sdb", 420, 380, 64, 64)),
            (ROOT, _data(476_000, 44)), (LAN,), ("batch", "production"), nice_share=0.6),
    Machine("batch02", "Nightly reports", 4, 15_926, NIGHT, 81, (0.14, 0.44), (SSD,), (ROOT,), (LAN,),
            ("batch", "production"), nice_share=0.3),
    Machine("build01", "Build server", 16, 31_996, BUILD, 97, (0.18, 0.42), (Disk("nvme0n1", 300, 900, 32, 48, 0.15),),
            (Mount("/", "/dev/nvme0n1p2", 476_000, 63, 0.3),), (Interface("eno1", 20, 5),), ("build",), swap_mb=8192.0),
    Machine("mail01", "Mail server", 4, 7_962, OFFICE, 46, (0.44, 0.14), (SSD, Disk("sdb", 90, 190, 12, 10, 1.9)),
            (ROOT, _data(953_000, 66, 0.12, "/var/mail")), (Interface("eth0", 3, 3),), ("mail", "office")),
    Machine("file01", "File server, a disk wears out", 4, 15_926, OFFICE, 41, (0.31, 0.1),
            (SSD, Disk("sdb", 120, 90, 96, 64, 1.4, slower_a_day=0.045), Disk("sdc", 120, 90, 96, 64, 1.4)),
            (ROOT, _data(3_814_000, 79, 0.34)), (Interface("eth0", 26, 48),), ("storage", "office")),
    Machine("backup01", "Backup store", 4, 7_962, Rhythm(0.05, night=0.9, night_hour=23.0, night_hours=5.5), 52,
            (0.22, 0.3), (SSD, Disk("sdb", 30, 520, 256, 256, 2.6)), (ROOT, _data(7_629_000, 83, 0.19)),
            (Interface("eth0", 90, 2),), ("storage",)),
    Machine("vps01", "Rented machine with busy neighbours", 2, 3_915, SHOP, 52, (0.49, 0.14), (Disk("vda", 25, 45),),
            (Mount("/", "/dev/vda1", 40_960, 57, 0.08),), (Interface("ens3", 3, 5),), ("rented",), steal=24.0),
    Machine("vps02", "Rented machine", 2, 3_915, WEB, 48, (0.46, 0.1), (Disk("vda", 18, 30),),
            (Mount("/", "/dev/vda1", 40_960, 41, 0.03),), (Interface("ens3", 2, 6),), ("rented",), steal=1.2),
    Machine("erp01", "Old ERP, one busy thread", 8, 31_996, OFFICE, 24, (0.58, 0.08), (SSD,),
            (ROOT, _data(190_000, 74, 0.02, "/opt/erp", "/dev/sda3")), (LAN,), ("office", "legacy"), hot_core=True,
            has_psi=False),
    Machine("branch01", "Branch office, its line drops", 2, 7_962, OFFICE, 43, (0.42, 0.12), (SSD,), (ROOT,),
            (Interface("eth0", 1.5, 0.8),), ("branch",), outage_every_days=5),
    Machine("monitor01", "Monitoring", 4, 7_962, FLAT, 49, (0.55, 0.04), (SSD, Disk("sdb", 20, 310, 16, 12)),
            (ROOT, _data(190_000, 68, 0.06)), (Interface("eth0", 5, 2),), ("infrastructure",)),
    Machine("spare01", "Oversized and idle", 16, 64_280, IDLE, 60, (0.04, 0.02), (Disk("sda", 0.6, 0.9),), (ROOT,),
            (Interface("eth0", 0.2, 0.1),), ("unused",)),
)  # fmt: skip
