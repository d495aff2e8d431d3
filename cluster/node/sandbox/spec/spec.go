// Package spec is what the node tells podinit, the program that turns itself into a container's process.
//
// It is kept apart, and free of dependencies, so that podinit stays a small static binary.
package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// File descriptors podinit inherits. Both are pipes.
const (
	// SpecFD carries one Spec as JSON; it ends without a byte when the node died before it recorded the process, and
	// podinit then exits without having done anything.
	SpecFD = 3
	// StatusFD is closed by a successful execve(2); before that it carries at most one line: why it failed.
	StatusFD = 4
)

// maxSpec bounds a Spec in bytes. Kubernetes' own objects are limited to about 1.5 MiB.
const maxSpec = 8 << 20

// ErrNone is returned by Read when no Spec was sent.
var ErrNone = errors.New("no container was sent")

// Spec describes one process: either a container to build (Root set), or a command to run in a container whose
// namespaces the process already is in (Root nil).
type Spec struct {
	// Hostname is set in the new UTS namespace.
	Hostname string `json:"hostname,omitempty"`
	// Root is the file system to build. nil: keep the present one.
	Root *Root `json:"root,omitempty"`

	// Args is the command; Args[0] is looked up in the PATH of Env unless it has a slash.
	Args []string `json:"args"`
	// Env is the whole environment, as NAME=value.
	Env []string `json:"env"`
	// Dir is the working directory inside the container.
	Dir string `json:"dir,omitempty"`

	// UID and GID are the process's real, effective and saved ids; Groups its supplementary groups.
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"`
	// KeepIdentity leaves ids and groups alone: the process cannot change them.
	KeepIdentity bool `json:"keepIdentity,omitempty"`
	// Capabilities are kept as ambient capabilities; all others are dropped from every set.
	Capabilities []uint `json:"capabilities,omitempty"`
	// Seccomp installs the RuntimeDefault filter.
	Seccomp bool `json:"seccomp,omitempty"`
	// OpenFiles is the wanted RLIMIT_NOFILE; the hard limit is used where it is lower. 0: unchanged.
	OpenFiles uint64 `json:"openFiles,omitempty"`
}

// Root is the file system of a container. It is assembled on a tmpfs; what is not mounted is not there.
type Root struct {
	// Staging is an existing directory the new root is mounted on; only the new mount namespace sees it.
	Staging string `json:"staging"`
	// Lower is a host directory that becomes the root's content. Empty: the root starts empty.
	Lower string `json:"lower,omitempty"`
	// ReadOnly makes the root, but not the mounts below it, read-only.
	ReadOnly bool `json:"readOnly,omitempty"`
	// WritableBytes bounds the tmpfs that takes what is written to the root.
	WritableBytes int64 `json:"writableBytes,omitempty"`
	// Mounts are applied in order: a parent must come before what is mounted below it.
	Mounts []Mount `json:"mounts,omitempty"`
	// Files are written into the root before it becomes read-only.
	Files []File `json:"files,omitempty"`
	// Cgroup mounts the cgroup v2 tree of the container read-only at /sys/fs/cgroup.
	Cgroup bool `json:"cgroup,omitempty"`
}

// Mount binds a host file or directory into the container.
type Mount struct {
	// Source is an absolute host path.
	Source string `json:"source"`
	// SubPath is a path below Source, resolved without leaving it whatever links the content has. It is created as a
	// directory when missing.
	SubPath string `json:"subPath,omitempty"`
	// Target is the absolute path in the container. It is created when missing.
	Target string `json:"target"`
	// ReadOnly refuses writes, also on mounts below Source.
	ReadOnly bool `json:"readOnly,omitempty"`
}

// File is a small file made for the container.
type File struct {
	Path    string `json:"path"`
	Mode    uint32 `json:"mode"`
	Content string `json:"content"`
}

// Write sends s as JSON.
func Write(w io.Writer, s *Spec) error {
	if err := json.NewEncoder(w).Encode(s); err != nil {
		return fmt.Errorf("cannot send the container: %w", err)
	}
	return nil
}

// Read reads one Spec up to the end of r and checks what podinit relies on. It returns ErrNone at an immediate end.
func Read(r io.Reader) (*Spec, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSpec+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the container: %w", err)
	}
	if len(data) == 0 {
		return nil, ErrNone
	}
	if len(data) > maxSpec {
		return nil, fmt.Errorf("cannot read the container: more than %d bytes", maxSpec)
	}
	s := new(Spec)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("cannot read the container: %w", err)
	}
	if len(s.Args) == 0 || s.Args[0] == "" {
		return nil, errors.New("cannot run the container: no command")
	}
	if s.Root != nil && s.Root.Staging == "" {
		return nil, errors.New("cannot run the container: no staging directory")
	}
	return s, nil
}
