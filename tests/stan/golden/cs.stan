// y ~ x + cs(0 + f | a)
//
// gaussian family, identity link; 48 rows, 4 levels of a
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
// Written by lmmformula, for Stan 2.33 or later. To run it:
//   CmdStanModel(stan_file="model.stan").sample("model.data.json")  # cmdstanpy
//   Model("model.stan", data="model.data.json").sample()  # stanli
functions {
  // Cholesky factor of the k x k matrix with correlation rho everywhere.
  matrix cholesky_cs(real rho, int k) {
    matrix[k, k] L = identity_matrix(k);
    for (j in 1 : k) {
      real before = 1 + (j - 2) * rho;
      L[j, j] = sqrt((1 - rho) * (1 + (j - 1) * rho) / before);
      for (i in j + 1 : k) {
        L[i, j] = rho * (1 - rho) / (before * L[j, j]);
      }
    }
    return L;
  }
  // L of each level, L * L' = Lambda' * ZZ * Lambda + I; its lower triangle.
  array[,] vector cholesky_by_level(array[,] vector zz, matrix Lambda) {
    int k = rows(Lambda);
    array[k, k] vector[size(zz[1, 1])] L;
    for (i in 1 : k) {
      for (h in 1 : i) {
        L[i, h] = rep_vector(i == h, size(zz[1, 1]));
        for (p in i : k) {
          for (q in h : k) {
            L[i, h] += Lambda[p, i] * Lambda[q, h] * zz[p, q];
          }
        }
        for (p in 1 : h - 1) {
          L[i, h] -= L[i, p] .* L[h, p];
        }
        L[i, h] = i == h ? sqrt(L[i, i]) : L[i, h] ./ L[h, h];
      }
    }
    return L;
  }
  // w = L \ v of all levels at once.
  array[] vector solve_by_level(array[,] vector L, matrix v) {
    array[cols(v)] vector[rows(v)] w;
    for (i in 1 : cols(v)) {
      w[i] = v[ : , i];
      for (p in 1 : i - 1) {
        w[i] -= L[i, p] .* w[p];
      }
      w[i] ./= L[i, i];
    }
    return w;
  }
}
data {
  int<lower=1> N; // rows
  vector[N] y; // y
  matrix[N, 1] X; // x
  vector[N] x_flo; // flo
  vector[N] x_fmid; // fmid
  vector[N] x_fhi; // fhi
  int<lower=1> N_a; // levels of a
  array[N] int<lower=1, upper=N_a> level_a; // of each row
  real prior_Intercept_location; // 2.669
  real<lower=0> prior_Intercept_scale; // 4.352
  real<lower=0> prior_b_scale; // 4.346
  real<lower=0> prior_sd_a_scale; // 9.135
  real<lower=0> prior_sigma_scale; // 4.352
}
transformed data {
  real y_mean = mean(y);
  row_vector[1] X_means = rep_row_vector(1.0 / N, N) * X;
  matrix[N, 3] D; // 1, X, y, the data around their means
  D[ : , 1] = ones_vector(N);
  D[ : , 2 : 2] = X - rep_matrix(X_means, N);
  D[ : , 3] = y - y_mean;
  matrix[3, 3] DD = crossprod(D);
  // sums of products over the rows of each level
  matrix[N, 3] Z_a; // flo, fmid, fhi
  Z_a[ : , 1] = x_flo;
  Z_a[ : , 2] = x_fmid;
  Z_a[ : , 3] = x_fhi;
  array[N_a] matrix[3, 3] ZZ_a;
  ZZ_a = rep_array(rep_matrix(0, 3, 3), N_a);
  matrix[3 * N_a, 3] ZD_a;
  ZD_a = rep_matrix(0, 3 * N_a, 3);
  for (n in 1 : N) {
    ZZ_a[level_a[n]] += Z_a[n]' * Z_a[n];
    for (i in 1 : 3) {
      int j = (i - 1) * N_a + level_a[n];
      ZD_a[j] += Z_a[n, i] * D[n];
    }
  }
  array[3, 3] vector[N_a] zz; // entries of ZZ_a, level by level
  for (i in 1 : 3) {
    for (h in 1 : 3) {
      zz[i, h] = to_vector(ZZ_a[ : , i, h]);
    }
  }
}
parameters {
  real Intercept_c; // intercept at the predictors' means
  vector[1] b; // x
  vector<lower=0>[3] sd_a; // flo, fmid, fhi
  real<lower=-0.5, upper=1> rho_a; // correlation of any two
  real<lower=0> sigma;
}
transformed parameters {
  matrix[3, 3] L_a = identity_matrix(3);
  L_a[1 : 3, 1 : 3] = cholesky_cs(rho_a, 3);
}
model {
  // population level
  Intercept_c ~ student_t(3, prior_Intercept_location, prior_Intercept_scale);
  b ~ normal(0, prior_b_scale);
  // a
  sd_a ~ student_t(3, 0, prior_sd_a_scale);
  rho_a ~ uniform(-0.5, 1);
  // residual
  sigma ~ student_t(3, 0, prior_sigma_scale);
  // y, with u of a integrated out
  {
    // r = y - X * beta = D * c
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[3 * N_a] Zr = ZD_a * c;
    matrix[3, 3] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 3] v = to_matrix(Zr, N_a, 3) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    array[3, 3] vector[N_a] L = cholesky_by_level(zz, Lambda);
    array[3] vector[N_a] w = solve_by_level(L, v);
    real rr = quad_form(DD, c);
    for (i in 1 : 3) {
      rr -= dot_self(w[i]);
      target += -sum(log(L[i, i]));
    }
    target += -N * log(sqrt(2 * pi()) * sigma) - 0.5 * rr / square(sigma);
  }
}
generated quantities {
  real Intercept = Intercept_c - X_means * b;
  matrix[3, 3] cor_a = multiply_lower_tri_self_transpose(L_a);
  matrix[N_a, 3] u_a;
  {
    vector[3] c = append_row(append_row(y_mean - Intercept_c, -b), 1);
    vector[3 * N_a] Zr = ZD_a * c;
    matrix[3, 3] Lambda = diag_pre_multiply(sd_a / sigma, L_a);
    matrix[N_a, 3] v = to_matrix(Zr, N_a, 3) * Lambda;
    // M = Lambda' * ZZ * Lambda + I = L * L' of each level, and w = L \ v
    array[3, 3] vector[N_a] L = cholesky_by_level(zz, Lambda);
    array[3] vector[N_a] w = solve_by_level(L, v);
    for (h in 1 : 3) {
      int i = 4 - h;
      w[i] += sigma * to_vector(normal_rng(zeros_vector(N_a), 1));
      for (p in i + 1 : 3) {
        w[i] -= L[p, i] .* w[p];
      }
      w[i] ./= L[i, i];
      u_a[ : , i] = w[i];
    }
    u_a *= Lambda';
  }
}
