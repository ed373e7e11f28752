package spec

// Problems are the errors that err joins ([errors.Join]), or err alone, or none if it is nil.
func Problems(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var problems []error
	for _, e := range joined.Unwrap() {
		problems = append(problems, Problems(e)...)
	}
	return problems
}
