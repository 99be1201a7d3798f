//go:build linux && cgo

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// quotaPeriod is the time in which a group may run for its part, in microseconds: the kernel's own 100 ms would let a
// group run through all of its part and then stand still for longer than a call takes.
const quotaPeriod = 10_000

// quota is a control group of processes that together get a part of a processor (cgroups(7), CFS bandwidth control); ""
// is none.
type quota string

// newQuota makes one, which remove takes away. It needs root, and the cpu controller.
func newQuota(name string, part float64) (quota, error) {
	runs := strconv.Itoa(int(part * quotaPeriod))
	for _, kind := range []struct {
		root  string
		files map[string]string
	}{
		{"/sys/fs/cgroup/cpu", map[string]string{"cpu.cfs_period_us": strconv.Itoa(quotaPeriod), "cpu.cfs_quota_us": runs}},
		{"/sys/fs/cgroup", map[string]string{"cpu.max": fmt.Sprintf("%s %d", runs, quotaPeriod)}},
	} {
		dir := filepath.Join(kind.root, fmt.Sprintf("openrabbit-bench-%d-%s", os.Getpid(), name))
		if os.Mkdir(dir, 0o755) != nil {
			continue
		}
		q := quota(dir)
		var err error
		for file, text := range kind.files {
			// A group's files are there or it is no group: O_CREATE would make a plain file of a plain directory.
			err = errors.Join(err, writeExisting(filepath.Join(dir, file), text))
		}
		if err == nil {
			return q, nil
		}
		q.remove()
	}
	return "", errors.New("-quota needs root and the cpu controller of cgroups")
}

func writeExisting(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// join puts this process, and what it will start, into the group.
func (q quota) join() error {
	if q == "" {
		return nil
	}
	return writeExisting(filepath.Join(string(q), "cgroup.procs"), strconv.Itoa(os.Getpid()))
}

// remove takes the group away once its processes have ended.
func (q quota) remove() {
	if q != "" {
		_ = os.Remove(string(q))
	}
}
