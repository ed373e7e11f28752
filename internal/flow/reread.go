package flow

// Reread is an exchange whose body begins with what has been read of it already.
type Reread struct {
	Exchange
	Begin []byte
	Err   error // what came behind Begin in place of more, if it is known
}

// ReadBody implements [Exchange].
func (r *Reread) ReadBody(p []byte) (int, error) {
	if len(r.Begin) > 0 {
		n := copy(p, r.Begin)
		r.Begin = r.Begin[n:]
		return n, nil
	}
	if r.Err != nil {
		return 0, r.Err
	}
	return r.Exchange.ReadBody(p)
}
