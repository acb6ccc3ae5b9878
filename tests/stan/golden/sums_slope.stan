// Reaction ~ Days + (Days | Subject)
//
// gaussian family, identity link; 180 rows, 18 levels of Subject
//
//   y = Intercept + X * b + Z * u + e
//   e ~ normal(0, sigma)
//   u of each level ~ multi_normal(0, diag(sd) * cor * diag(sd))
//
// Marginal form: the likelihood is that of y with u of Subject integrated
// out, in sums over rows that are formed once, so that its cost does not grow
// with the number of rows. That u is drawn from its exact distribution given
// the parameters in generated quantities.
//
//   X, b: predictors and their coefficients
//   Z, u: what the effects of a level multiply, and these
//   D, c: 1, X, y around their means; y - X * beta = D * c
//   DD, ZZ, ZD: D' * D; Z' * Z and Z' * D of each level
//   L_group: Cholesky factor of cor_group
//   r: y - X * beta
//   Zr, rr: Z' * r of each level; r' * r less what u explains
//   R: a root of Z' * Z; the columns of Z * inverse(R) are orthogonal
//   zz: of each level, their products
//   Lambda: Cholesky factor of the covariance matrix of R * u, over sigma
//   L: of each level, L * L' = Lambda' * zz * Lambda + I
//
// Written by lmmformula, for Stan 2.33 or later. To run it:
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
  real y_mean; // mean of Reaction
  row_vector[1] X_means; // means of Days
  matrix[3, 3] DD; // D' * D
  int<lower=1> N_Subject; // levels of Subject
  // Z' * Z of each level; Z: (Intercept), Days
  array[N_Subject] matrix[2, 2] ZZ_Subject;
  matrix[2 * N_Subject, 3] ZD_Subject; // Z' * D of each level
  real prior_Intercept_location; // 288.7
  real<lower=0> prior_Intercept_scale; // 148.3
  real<lower=0> prior_b_scale; // 40.02
  vector<lower=0>[2] prior_sd_Subject_scale; // 148.3, 40.02
  real<lower=0> prior_sigma_scale; // 148.3
}
transformed data {
  matrix[2, 2] S = rep_matrix(0, 2, 2);
  for (j in 1 : N_Subject) {
    S += 0.5 * (ZZ_Subject[j] + ZZ_Subject[j]');
  }
  // in orthogonal columns, a covariate that is far from zero costs no digits
  matrix[2, 2] R = root_from_last(S);
  matrix[2, 2] R_inv = inverse(R);
  matrix[N_Subject, 4] zz; // each level in a row
  for (j in 1 : N_Subject) {
    zz[j] = to_row_vector(R_inv' * ZZ_Subject[j] * R_inv);
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // Days
  vector<lower=0>[2] sd_Subject; // (Intercept), Days
  cholesky_factor_corr[2] L_Subject; // of their correlations
  real<lower=0> sigma;
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // Subject
  sd_Subject ~ student_t(3, 0, prior_sd_Subject_scale);
  L_Subject ~ lkj_corr_cholesky(2);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // Reaction, with u of Subject integrated out
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Subject] Zr = ZD_Subject * c;
    matrix[2, 2] root = diag_pre_multiply(sd_Subject / sigma, L_Subject);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_Subject] L = cholesky_by_level(zz,
                                        to_matrix(Zr, N_Subject, 2) * R_inv,
                                        Lambda);
    real rr = dot_product(c, DD * c);
    for (i in 1 : 2) {
      rr -= dot_self(L[3, i]);
    }
    target += -sum(log(L[1, 1] .* L[2, 2]));
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[2, 2] cor_Subject = multiply_lower_tri_self_transpose(L_Subject);
  matrix[N_Subject, 2] u_Subject;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[2 * N_Subject] Zr = ZD_Subject * c;
    matrix[2, 2] root = diag_pre_multiply(sd_Subject / sigma, L_Subject);
    matrix[2, 2] Lambda = cholesky_decompose(tcrossprod(R * root));
    array[3, 2] vector[N_Subject] L = cholesky_by_level(zz,
                                        to_matrix(Zr, N_Subject, 2) * R_inv,
                                        Lambda);
    u_Subject = draw_by_level_rng(L, sigma) * (R_inv * Lambda)';
  }
}
