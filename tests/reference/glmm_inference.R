# Marginal means, slopes, joint tests and deletions of generalised linear mixed models, by R.
# Rscript glmm_inference.R path/to/datasets/files > records/glmm_inference.json
# All with vcov(m, use.hessian = FALSE): lme4's other covariance rests on finite differences.
suppressMessages({ library(lme4); library(emmeans) })

folder <- commandArgs(TRUE)[1]
read <- function(name, factors) {
  data <- read.csv(file.path(folder, paste0(name, ".csv")))
  for (f in factors) data[[f]] <- factor(data[[f]])
  data
}
control <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12)

text <- function(x) {
  if (is.list(x)) return(paste0("{", paste0('"', names(x), '":', vapply(x, text, ""), collapse = ","), "}"))
  if (is.character(x) || is.factor(x)) cells <- paste0('"', x, '"')
  else cells <- ifelse(is.finite(x), format(x, digits = 15, trim = TRUE), ifelse(is.na(x), "null", '"Inf"'))
  if (length(x) == 1 && is.character(x)) cells else paste0("[", paste(trimws(cells), collapse = ","), "]")
}
columns <- function(table) lapply(as.list(as.data.frame(table)), function(x) if (length(x) == 1) c(x) else x)

# Wald chi-squared of a term after others: all of it and of the terms above it, less that of those above.
conditional <- function(m, V, own, above) {
  w <- function(i) if (length(i)) drop(fixef(m)[i] %*% solve(V[i, i, drop = FALSE], fixef(m)[i])) else 0
  w(c(own, above)) - w(above)
}
wald <- function(m, V, kind) {
  assign <- attr(model.matrix(m), "assign"); labels <- attr(terms(m), "term.labels")
  factors <- attr(terms(m), "factors") > 0
  inside <- function(i, j) i != j && all(factors[, j][factors[, i]])
  chisq <- sapply(seq_along(labels), function(i) {
    above <- if (kind == "I") seq_along(labels) > i else sapply(seq_along(labels), function(j) inside(i, j))
    conditional(m, V, which(assign == i), which(assign %in% which(above)))
  })
  list(term = labels, chisq = chisq, df = tabulate(assign, length(labels)))
}

record <- function(id, call, m, more) {
  V <- suppressWarnings(as.matrix(vcov(m, use.hessian = FALSE)))
  deletions <- drop1(m, test = "Chisq")
  found <- c(list(id = id, kind = "glmm_inference", call = call, R = as.character(getRversion()),
                  lme4 = as.character(packageVersion("lme4")), emmeans = as.character(packageVersion("emmeans")),
                  fixef = fixef(m), se = sqrt(diag(V))),
             list(type_I = wald(m, V, "I"), type_II = wald(m, V, "II"),
                  drop1 = list(term = rownames(deletions), npar = deletions$npar, AIC = deletions$AIC, LRT = deletions$LRT,
                               p = deletions[["Pr(Chi)"]])),
             more(m, V))
  text(found)
}

ticks <- read("grouseticks", c("YEAR", "BROOD"))
ticks$HIGH <- factor(ifelse(ticks$cHEIGHT > 0, "yes", "no"))
crossed <- glmer(TICKS ~ cHEIGHT + YEAR * HIGH + (1 | BROOD), ticks, family = poisson, control = control)
sloped <- glmer(TICKS ~ cHEIGHT * YEAR + (1 | BROOD), ticks, family = poisson, control = control)
cows <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), read("cbpp", c("herd", "period")),
              family = binomial, control = control)
cat("[\n", paste(c(
  record("poisson_crossed", "glmer(TICKS ~ cHEIGHT + YEAR * HIGH + (1 | BROOD), grouseticks, poisson)", crossed, function(m, V) {
    tests <- as.data.frame(joint_tests(m, vcov. = V))
    means <- emmeans(m, ~ YEAR | HIGH, vcov. = V, type = "response")
    list(joint_tests = columns(tests), means = columns(summary(means)), pairs = columns(summary(pairs(means), infer = TRUE)),
         proportional = columns(summary(emmeans(m, ~ YEAR, vcov. = V, weights = "proportional"))))
  }),
  record("poisson_sloped", "glmer(TICKS ~ cHEIGHT * YEAR + (1 | BROOD), grouseticks, poisson)", sloped, function(m, V) {
    slopes <- emtrends(m, ~ YEAR, var = "cHEIGHT", vcov. = V)
    list(slopes = columns(summary(slopes)), pairs = columns(summary(pairs(slopes), infer = TRUE)),
         at = columns(summary(emmeans(m, ~ YEAR, at = list(cHEIGHT = 10), vcov. = V))))
  }),
  record("binomial", "glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial)", cows, function(m, V) {
    means <- emmeans(m, ~ period, vcov. = V)
    list(joint_tests = columns(joint_tests(m, vcov. = V)), means = columns(summary(means, type = "response")),
         holm = columns(summary(pairs(means), adjust = "holm")),
         contrast = columns(summary(contrast(means, list(later = c(-1, 1, 1, 1) / c(1, 3, 3, 3))), infer = TRUE)))
  })), collapse = ",\n"), "\n]\n", sep = "")
