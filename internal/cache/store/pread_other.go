//go:build !linux

package store

// tryReadAt implements file where no read can be told not to wait.
func (f *osFile) tryReadAt(_ []byte, _ int64) error { return ErrWouldWait }

// cached implements file likewise.
func (f *osFile) cached(_, _ int64) bool { return false }
