// y ~ x + (1 | b) + (x | a)
//
// gaussian family, identity link; 48 rows, 3 levels of b, 4 levels of a
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of a integrated out, in
// sums over rows that are formed once, so that its cost does not grow with
// the number of rows. That u is drawn from its exact distribution given the
// parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   L_group: Cholesky factor of cor_group
//   r: y - X * beta - Z * u of the effects that are sampled
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   R: a root of Z' * Z; the columns of Z * inverse(R) are orthogonal
//   zz: of each level, their products
//   Lambda: Cholesky factor of the covariance matrix of R * u, over sigma
//   L: of each level, L * L' = Lambda' * zz * Lambda + I
//
// Written by lmmformula, for Stan 2.36 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // R, R' * R = S, from the last column on: its product with a lower triangular
  // root of a covariance matrix then keeps its digits.
  matrix root_from_last(matrix S) {
    int k = rows(S);
    array[k] int back = reverse(linspaced_int_array(k, 1, k));
    // a little more, lest it be singular: columns may depend on others, or be 0
    matrix[k, k] T = add_diag(S, 1e-10 * diagonal(S) + 1e-100);
    return cholesky_decompose(T[back, back])[back]';
  }
  // L of all levels at once, L * L' = Lambda' * zz * Lambda + I, and below it
  // w', L * w = Lambda' * Zr.
  array[,] vector cholesky_by_level(matrix zz, matrix Zr, matrix Lambda) {
    int k = cols(Zr);
    int J = rows(Zr);
    array[k + 1, k] vector[J] L = rep_array(rep_vector(0, J), k + 1, k);
    for (h in 1 : k) {
      for (i in h : k + 1) {
        vector[J] m = i > k ? Zr * Lambda[ : , h]
                      : zz * to_vector(Lambda[ : , i] * Lambda[ : , h]');
        for (p in 1 : h - 1) {
          m -= L[i, p] .* L[h, p];
        }
        L[i, h] = i == h ? sqrt(1 + m) : m ./ L[h, h];
      }
    }
    return L;
  }
  // v of all levels, L' * v being normal around w with deviation sigma.
  matrix draw_by_level_rng(array[,] vector L, real sigma) {
    int k = dims(L)[2];
    int J = dims(L)[3];
    matrix[J, k] v;
    for (h in 1 : k) {
      int i = k + 1 - h;
      v[ : , i] = L[k + 1, i]
                  + sigma * to_vector(normal_rng(zeros_vector(J), 1));
      for (p in i + 1 : k) {
        v[ : , i] -= L[p, i] .* v[ : , p];
      }
      v[ : , i] ./= L[i, i];
    }
    return v;
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  int<lower=1> N_b; // levels of b
  array[N] int<lower=1, upper=N_b> level_b; // of each row
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  real<lower=0> prior_sd_b_scale; // 4.352
  vector<lower=0>[2] prior_sd_a_scale; // 4.352, 4.346
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 1] X_c = X - rep_matrix(X_means, N);
  real y_mean = mean(y);
  matrix[N, 3] D = append_col(append_col(ones_vector(N), X_c), y - y_mean);
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  vector[N_b] ZZ_b = zeros_vector(N_b);
  matrix[N_b, 3] ZD_b = rep_matrix(0, N_b, 3);
  matrix[N, 2] Z_a = [ones_row_vector(N), X[ : , 1]']'; // Z: (Intercept), x
  // in orthogonal columns, a covariate that is far from zero costs no digits
  matrix[2, 2] R = root_from_last(crossprod(Z_a));
  matrix[2, 2] R_inv = inverse(R);
  Z_a = Z_a * R_inv;
  array[N_a] matrix[2, 2] ZZ_a = rep_array(rep_matrix(0, 2, 2), N_a);
  matrix[2 * N_a, 3] ZD_a = rep_matrix(0, 2 * N_a, 3);
  matrix[2 * N_a, N_b] cross_a_b = rep_matrix(0, 2 * N_a, N_b);
  for (n in 1 : N) {
    ZZ_b[level_b[n]] += 1;
    ZD_b[level_b[n]] += D[n];
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    for (i in 1 : 2) {
      int j = (i - 1) * N_a + level_a[n];
      ZD_a[j] += Z_a[n, i] * D[n];
    }
    for (i in 1 : 2) {
      int j = (i - 1) * N_a + level_a[n];
      cross_a_b[j, level_b[n]] += Z_a[n, i];
    }
  }
  matrix[N_a, 4] zz; // each level in a row
  for (j in 1 : N_a) {
    zz[j] = to_row_vector(ZZ_a[j]);
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  real<lower=0> sd_b;
  real mean_b; // means of the coefficients
  sum_to_zero_vector[N_b] dev_b; // their deviations
  vector<lower=0>[2] sd_a; // (Intercept), x
  cholesky_factor_corr[2] L_a; // of their correlations
  real<lower=0> sigma;
}
transformed parameters {
  vector[N_b] u_b = dev_b + (mean_b - Intercept_c);
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // b
  sd_b ~ student_t(3, 0, prior_sd_b_scale);
  mean_b ~ normal(Intercept_c, sd_b / sqrt(N_b));
  dev_b ~ normal(0, sd_b);
  target += -normal_lpdf(0 | 0, sd_b); // dev_b has a dimension less
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  L_a ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_a] Zr = ZD_a * c - cross_a_b * u_b;
    matrix[2, 2] root = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_a] L = cholesky_by_level(zz, to_matrix(Zr, N_a, 2),
                                  Lambda);
    real rr = dot_product(c, DD * c);
    rr -= 2 * dot_product(u_b, ZD_b * c);
    rr += dot_product(ZZ_b, square(u_b));
    for (i in 1 : 2) {
      rr -= dot_self(L[3, i]);
    }
    target += -sum(log(L[1, 1] .* L[2, 2]));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[N_a, 2] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_a] Zr = ZD_a * c - cross_a_b * u_b;
    matrix[2, 2] root = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_a] L = cholesky_by_level(zz, to_matrix(Zr, N_a, 2),
                                  Lambda);
    u_a = draw_by_level_rng(L, sigma) * (R_inv * Lambda)';
  }
}
