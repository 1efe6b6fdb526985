// Package lines is how our programs are asked: one line of JSON in, one line out, in order.
package lines

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// Answer writes the answer to each line of the input.
func Answer[A any](input io.Reader, output io.Writer, answer func(line []byte) A) error {
	questions := bufio.NewReaderSize(input, 1<<20)
	answers := bufio.NewWriterSize(output, 1<<20)
	encoder := json.NewEncoder(answers)
	for {
		line, err := questions.ReadBytes('\n')
		if len(line) > 0 {
			if err := encoder.Encode(answer(line)); err != nil {
				return err
			}
		}
		// Whoever asks a line at a time gets each answer before the next question.
		if questions.Buffered() == 0 {
			if err := answers.Flush(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return answers.Flush()
		}
		if err != nil {
			return err
		}
	}
}
