// A model in the ONNX format: LogisticRegression of scikit-learn 1.9.1 over Displacement and Horsepower of the complete cars, whose label
// is whether a car is American; exported by skl2onnx 1.20.0 without its zip map. Input X (float32, two numbers), outputs label and
// probabilities.

export const carsModel = Buffer.from(
  'CAgSCHNrbDJvbm54GgYxLjIwLjAiB2FpLm9ubngoADIAOrsCCtkBCgFYEgVsYWJlbBINcHJvYmFiaWxpdGllcxoQTGluZWFyQ2xhc3NpZmllciIQTGluZWFyQ2xhc3NpZmll' +
  'cioZChBjbGFzc2xhYmVsc19pbnRzQABAAaABByolCgxjb2VmZmljaWVudHM9rVGLvT2N33M9Pa1Riz09jd9zvaABBioZCgppbnRlcmNlcHRzPWCobUA9YKhtwKABBioSCgtt' +
  'dWx0aV9jbGFzcxgAoAECKh0KDnBvc3RfdHJhbnNmb3JtIghMT0dJU1RJQ6ABAzoKYWkub25ueC5tbBIYT05OWChMb2dpc3RpY1JlZ3Jlc3Npb24pWhEKAVgSDAoKCAESBgoA' +
  'CgIIAmIRCgVsYWJlbBIICgYIBxICCgBiHQoNcHJvYmFiaWxpdGllcxIMCgoIARIGCgAKAggCQg4KCmFpLm9ubngubWwQAUIECgAQD0IECgAQDw==',
  'base64',
)
