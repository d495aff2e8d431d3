package system

import (
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"
)

// Sweep ends whatever this process started that still runs: nothing should.
func Sweep() error {
	self := os.Getpid()
	below := func() []int {
		return slices.DeleteFunc(descendants([]int{self}), func(pid int) bool {
			if pid == self {
				return true
			}
			var status syscall.WaitStatus
			reaped, _ := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
			return reaped == pid
		})
	}
	left := below()
	if len(left) == 0 {
		return nil
	}
	for range 100 {
		for _, pid := range below() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(below()) == 0 {
			return fmt.Errorf("%d processes were left and had to be killed", len(left))
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("%d processes cannot be killed", len(below()))
}
