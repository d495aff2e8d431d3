package system

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine says what the figures were measured on.
type Machine struct {
	Kernel      string  `json:"kernel"`
	Processor   string  `json:"processor"`
	Cores       int     `json:"cores"`
	MemoryBytes uint64  `json:"memoryBytes"`
	FileSystem  string  `json:"fileSystem"`     // of the folder that all peers write to
	SyncMillis  float64 `json:"syncMillis"`     // median of appending 9 KiB and fdatasync there, nothing else running
	LoadBefore  string  `json:"loadBefore"`     // load averages of 1, 5 and 15 minutes
	LoadAfter   string  `json:"loadAfter"`      // at the end
	Open        uint64  `json:"maxOpenFiles"`   // of a process
	WallSeconds float64 `json:"wallSeconds"`    // of the whole run
	Date        string  `json:"date"`           // of its beginning, RFC 3339
	CPUShare    float64 `json:"clientCPUShare"` // of the generator: its processor time by what all cores had in the measured rounds
}

// fileSystems are the names of statfs(2)'s magic numbers.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
	unix.TMPFS_MAGIC: "tmpfs", unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
}

// Describe looks at the machine and at the disk that folder is on. Memory is not accepted as a disk.
func Describe(folder string) (m Machine, err error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(folder, &fs); err != nil {
		return m, os.NewSyscallError("statfs", err)
	}
	if m.FileSystem = fileSystems[int64(fs.Type)]; m.FileSystem == "" {
		m.FileSystem = fmt.Sprintf("0x%x", fs.Type)
	}
	if m.FileSystem == "tmpfs" {
		return m, fmt.Errorf("-folder: found %s, which is memory; accepted is a folder on a disk", folder)
	}
	if m.SyncMillis, err = syncMillis(folder); err != nil {
		return m, err
	}
	var name unix.Utsname
	_ = unix.Uname(&name)
	m.Kernel = string(bytes.TrimRight(name.Release[:], "\x00"))
	m.Processor, m.Cores, m.LoadBefore = processor(), runtime.NumCPU(), Load()
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.MemoryBytes = info.Totalram * uint64(info.Unit)
	}
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil {
		m.Open = limit.Cur
	}
	return m, nil
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// Load is the machine's load averages of 1, 5 and 15 minutes.
func Load() string {
	text, _ := os.ReadFile("/proc/loadavg")
	fields := strings.Fields(string(text))
	return strings.Join(fields[:min(3, len(fields))], " ")
}

func syncMillis(folder string) (float64, error) {
	file, err := os.Create(filepath.Join(folder, "sync"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	block := bytes.Repeat([]byte("Lomé "), 9<<10/6)
	var took []time.Duration
	for range 101 {
		began := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(file.Fd())); err != nil {
			return 0, os.NewSyscallError("fdatasync", err)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[len(took)/2].Seconds() * 1000, nil
}
